-- How many gaps between purchase days are of each length in whole days: closed by the next purchase, or open at the cutoff.
-- Asked of purchase days, each as one order.
with days as (
  select customer_id,
         cast(ordered_at as date) as day
  from orders
  where cast(ordered_at as date) <= cast($cutoff as date)
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
