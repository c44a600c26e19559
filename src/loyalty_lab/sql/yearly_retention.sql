-- How many customers bought in the year before (after $start until $middle), and how many of them in the year that ends at the cutoff.
-- The rows of one order are one order; one that nets zero or below is none.
with lines as (
  select customer_id,
         order_id,
         cast(net_amount as decimal(18, 4)) as amount,
         case when cast(ordered_at as date) > cast($middle as date) then 1 else 0 end as recent
  from orders
  where customer_id is not null
    and order_id is not null
    and cast(ordered_at as date) > cast($start as date)
    and cast(ordered_at as date) <= cast($cutoff as date)
), bought as (
  select customer_id, recent
  from lines
  group by customer_id, order_id, recent
  having sum(amount) > 0
), seen as (
  select customer_id, 1 - min(recent) as started, max(recent) as again
  from bought
  group by customer_id
)
select coalesce(sum(started), 0) as started,
       coalesce(sum(started * again), 0) as kept
from seen
