-- What each customer spent after one day, until the cutoff. Asked of purchase days, each as one order.
select customer_id,
       cast(sum(cast(net_amount as decimal(18, 4))) as double) as spend
from orders
where cast(ordered_at as date) > cast($after as date)
  and cast(ordered_at as date) <= cast($cutoff as date)
group by customer_id
order by customer_id
