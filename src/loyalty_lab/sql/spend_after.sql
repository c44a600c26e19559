-- What each customer spent on purchase days after one day, until the cutoff.
with lines as (
  select customer_id,
         cast(ordered_at as date) as day,
         cast(net_amount as decimal(18, 4)) as amount
  from orders
  where customer_id is not null
    and cast(ordered_at as date) > cast($after as date)
    and cast(ordered_at as date) <= cast($cutoff as date)
), days as (
  select customer_id, day, sum(amount) as spend
  from lines
  group by customer_id, day
  having sum(amount) > 0
)
select customer_id,
       cast(sum(spend) as double) as spend
from days
group by customer_id
order by customer_id
