-- First and last day with an order until the cutoff, and exact sums: sales, known margins, and the sales whose margin is not known.
select min(cast(ordered_at as date)) as first_day,
       max(cast(ordered_at as date)) as last_day,
       cast(coalesce(sum(cast(net_amount as decimal(18, 4))), 0) as double) as sales,
       cast(coalesce(sum(cast(margin_amount as decimal(18, 4))), 0) as double) as known,
       cast(coalesce(sum(case when margin_amount is null then cast(net_amount as decimal(18, 4)) end), 0) as double) as rest
from orders
where cast(ordered_at as date) <= cast($cutoff as date)
