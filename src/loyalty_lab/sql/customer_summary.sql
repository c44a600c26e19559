-- One row per customer who has bought by the cutoff: frequency, recency, T (whole days), monetary_value.
-- Money is summed as a decimal and divided once at the end, so that no number depends on the order of rows.
with lines as (
  select customer_id,
         cast(ordered_at as date) as day,
         cast(net_amount as decimal(18, 4)) as amount
  from orders
  where customer_id is not null
    and cast(ordered_at as date) <= cast($cutoff as date)
), days as (
  select customer_id, day, sum(amount) as spend
  from lines
  group by customer_id, day
  having sum(amount) > 0
)
select customer_id,
       count(*) - 1 as frequency,
       date_diff('day', min(day), max(day)) as recency,
       date_diff('day', min(day), cast($cutoff as date)) as "T",
       case when count(*) > 1
            then cast(sum(spend) - arg_min(spend, day) as double) / cast(count(*) - 1 as double)
            else cast(0 as double)
       end as monetary_value
from days
group by customer_id
order by customer_id
