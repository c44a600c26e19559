-- One row per customer who has bought by the cutoff: what the purchase history says, and nothing later.
-- Gaps are whole days; their sums of squares stay integers until the last step.
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
), visits as (
  select customer_id, day, spend,
         date_diff('day', day, cast($cutoff as date)) as age,
         date_diff('day', lag(day) over (partition by customer_id order by day), day) as gap,
         row_number() over (partition by customer_id order by day) as visit,
         row_number() over (partition by customer_id order by day desc) as visit_back
  from days
)
select customer_id,
       count(*) - 1 as frequency,
       max(age) - min(age) as recency,
       max(age) as "T",
       min(age) as days_since_last,
       count(gap) as gaps,
       coalesce(sum(gap), 0) as gap_sum,
       coalesce(sum(gap * gap), 0) as gap_squares,
       cast(median(gap) as double) as gap_median,
       coalesce(max(gap), 0) as gap_longest,
       coalesce(sum(case when visit_back = 1 then gap end), 0) as gap_last,
       sum(case when age < 30 then 1 else 0 end) as orders_30,
       sum(case when age < 90 then 1 else 0 end) as orders_90,
       sum(case when age < 365 then 1 else 0 end) as orders_365,
       cast(sum(case when age < 30 then spend else 0 end) as double) as spend_30,
       cast(sum(case when age < 90 then spend else 0 end) as double) as spend_90,
       cast(sum(case when age < 365 then spend else 0 end) as double) as spend_365,
       cast(sum(spend) as double) as spend_total,
       cast(sum(case when visit = 1 then spend else 0 end) as double) as first_spend,
       cast(sum(case when visit_back = 1 then spend else 0 end) as double) as last_spend
from visits
group by customer_id
order by customer_id
