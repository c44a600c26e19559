-- One row per customer who has bought by the cutoff: what the purchase history says, and nothing later.
-- Gaps are whole days. Logarithms are rounded to whole billionths before they are squared or summed: sums are exact, and the last bit
-- of a logarithm, in which databases differ, is in none of them.
-- Windows are counted in horizons: half of one, a whole one, two, and the same days a year before.
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
         date_diff('day', lag(day) over (partition by customer_id order by day), day) as gap
  from days
), logs as (
  select customer_id, day, spend, age, gap,
         round(ln(cast(spend as double)) * 1000000000) as log_spend,
         round(ln(cast(gap as double)) * 1000000000) as log_gap
  from visits
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
       coalesce(arg_max(gap, day), 0) as gap_last,
       cast(coalesce(sum(cast(log_gap as bigint)), 0) as double) / cast(1000000000 as double) as log_gap_sum,
       cast(coalesce(sum(cast(round(log_gap * log_gap / cast(1000000000 as double)) as bigint)), 0) as double) / cast(1000000000 as double) as log_gap_squares,
       sum(case when 2 * age < $horizon_days then 1 else 0 end) as orders_half,
       sum(case when age < $horizon_days then 1 else 0 end) as orders_whole,
       sum(case when age < 2 * $horizon_days then 1 else 0 end) as orders_double,
       sum(case when age < 365 then 1 else 0 end) as orders_365,
       sum(case when age >= 365 - $horizon_days and age < 365 then 1 else 0 end) as orders_last_year,
       cast(sum(case when age < $horizon_days then spend else 0 end) as double) as spend_whole,
       cast(sum(spend) as double) as spend_total,
       cast(sum(cast(log_spend as bigint)) as double) / cast(1000000000 as double) as log_spend_sum,
       cast(sum(cast(round(log_spend * log_spend / cast(1000000000 as double)) as bigint)) as double) / cast(1000000000 as double) as log_spend_squares,
       cast(arg_min(spend, day) as double) as first_spend,
       cast(arg_max(spend, day) as double) as last_spend
from logs
group by customer_id
order by customer_id
