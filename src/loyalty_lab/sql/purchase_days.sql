-- One row per customer and day on which the customer's orders net above zero.
-- Portable subset: exact types, day-level dates, ordered by a unique key.
with lines as (
  select customer_id,
         cast(ordered_at as date) as day,
         cast(net_amount as decimal(18, 4)) as amount
  from orders
  where customer_id is not null
    and cast(ordered_at as date) <= cast($cutoff as date)
)
select customer_id,
       day,
       cast(sum(amount) as double) as spend
from lines
group by customer_id, day
having sum(amount) > 0
order by customer_id, day
