-- How many gaps between purchase days are of each length in whole days: closed by the next purchase, or open at the cutoff.
with lines as (
  select customer_id,
         cast(ordered_at as date) as day,
         cast(net_amount as decimal(18, 4)) as amount
  from orders
  where customer_id is not null
    and cast(ordered_at as date) <= cast($cutoff as date)
), days as (
  select customer_id, day
  from lines
  group by customer_id, day
  having sum(amount) > 0
), following as (
  select day,
         lead(day) over (partition by customer_id order by day) as next_day
  from days
)
select date_diff('day', day, coalesce(next_day, cast($cutoff as date))) as gap,
       count(next_day) as returned,
       count(*) as ended
from following
group by date_diff('day', day, coalesce(next_day, cast($cutoff as date)))
order by gap
