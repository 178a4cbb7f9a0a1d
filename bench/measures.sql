-- The measures of the audit, by hand. Before: tables `clicks` and `conversions` with only the columns used here, and
-- `cost_micro` and `payout_micro` as whole numbers. A group is a source together with its traffic source.

CREATE TABLE span AS
SELECT min(click_time) AS first_click,
       greatest(max(click_time), (SELECT max(status_time) FROM conversions)) AS as_of
FROM clicks;

-- Counts and sums by source, peers, day and hour of the day.
CREATE TABLE by_hour AS
SELECT traffic_source, source, offer, country, device, CAST(click_time AS DATE) AS day, hour(click_time) AS hour,
       count(*) AS clicks,
       count(*) FILTER (click_time <= (SELECT as_of - INTERVAL 24 HOUR FROM span)) AS mature_clicks,
       sum(cost_micro) AS cost_micro,
       count(lander_click_time) AS lander_clicks
FROM clicks
GROUP BY ALL;

-- Addresses of clicks: distinct ones, and the clicks of the busiest.
CREATE TABLE addresses AS
SELECT traffic_source, source, count(*) AS distinct_ips, max(n) AS top_ip_clicks
FROM (SELECT traffic_source, source, ip, count(*) AS n FROM clicks WHERE ip IS NOT NULL GROUP BY ALL)
GROUP BY ALL;

-- Clicks whose ID another click has too.
CREATE TABLE reused AS
SELECT traffic_source, source, count(*) AS clicks
FROM clicks
WHERE click_id IN (SELECT click_id FROM clicks GROUP BY click_id HAVING count(*) > 1)
GROUP BY ALL;

-- Status updates: the latest row of a conversion ID wins.
CREATE TABLE latest AS
SELECT * FROM conversions
QUALIFY row_number() OVER (PARTITION BY conversion_id ORDER BY status_time DESC) = 1;

-- The same transaction and event again: a retry if nothing differs and a day has not passed, else a replay.
CREATE TABLE classed AS
SELECT *, CASE WHEN nth = 1 THEN 'first'
               WHEN click_id = first.click_id AND event = first.event AND status = first.status
                    AND payout_micro = first.payout_micro
                    AND conversion_time <= first.conversion_time + INTERVAL 24 HOUR THEN 'retry'
               ELSE 'replay' END AS class
FROM (SELECT *, row_number() OVER w AS nth,
             first_value({'click_id': click_id, 'event': event, 'status': status, 'payout_micro': payout_micro,
                          'conversion_time': conversion_time}) OVER w AS first
      FROM latest WINDOW w AS (PARTITION BY transaction_id, event ORDER BY conversion_time, conversion_id));

-- The last click before the conversion wins; a conversion may have no click, or only later ones. Retries do not
-- count. The clicks that matter are few: they are found first.
CREATE TABLE matched AS
WITH once AS (SELECT * FROM classed WHERE class <> 'retry'),
     hits AS (SELECT click_id, click_time, traffic_source, source, offer, country, device FROM clicks
              WHERE click_id IN (SELECT click_id FROM once))
SELECT c.conversion_id, c.click_id, c.event, c.status, c.payout_micro, c.conversion_time, c.ip,
       c.click_time AS told_click_time,
       coalesce(k.traffic_source, c.traffic_source) AS traffic_source, coalesce(k.source, c.source) AS source,
       k.offer, k.country, k.device, k.click_time,
       epoch(c.conversion_time - k.click_time) AS ctit_s
FROM once c LEFT JOIN hits k ON k.click_id = c.click_id
QUALIFY row_number() OVER (PARTITION BY c.conversion_id
                           ORDER BY (k.click_time IS NOT DISTINCT FROM c.click_time) DESC,
                                    (k.click_time <= c.conversion_time) DESC, abs(ctit_s)) = 1;

-- Conversions by group, peers and click day.
CREATE TABLE conversions_by_day AS
SELECT traffic_source, source, offer, country, device, CAST(click_time AS DATE) AS day, event, status,
       count(*) AS conversions, sum(payout_micro) AS payout_micro, count(DISTINCT click_id) AS converted_clicks
FROM matched
WHERE ctit_s >= 0
GROUP BY ALL;

-- Seconds from click to the first conversion on it, of events that a person needs a minimum of time for.
CREATE TABLE timed AS
SELECT traffic_source, source, event, ctit_s
FROM matched
WHERE ctit_s >= 0 AND event IN ('install', 'registration', 'lead', 'first_deposit', 'sale', 'conversion')
QUALIFY row_number() OVER (PARTITION BY click_id, click_time ORDER BY conversion_time) = 1;

CREATE TABLE ctit AS
SELECT traffic_source, source, event, ctit_s, count(*) AS conversions FROM timed GROUP BY ALL;

-- What does not match.
CREATE TABLE unmatched AS
SELECT traffic_source, source,
       count(*) FILTER (click_time IS NULL AND told_click_time >= first_click) AS orphans,
       count(*) FILTER (click_time IS NULL AND told_click_time < first_click) AS outside_span,
       count(*) FILTER (ctit_s < 0) AS before_click
FROM matched, span
GROUP BY ALL;

CREATE TABLE repeated AS
SELECT traffic_source, source, class, count(*) AS conversions FROM classed WHERE class <> 'first' GROUP BY ALL;

-- Addresses of conversions.
CREATE TABLE conversion_addresses AS
SELECT traffic_source, source, count(*) AS distinct_ips, max(n) AS top_ip_conversions
FROM (SELECT traffic_source, source, ip, count(*) AS n FROM matched WHERE ip IS NOT NULL GROUP BY ALL)
GROUP BY ALL;

-- What is compared with the audit, by source.
CREATE TABLE compared AS
WITH c AS (SELECT traffic_source, source, sum(clicks) AS clicks, sum(cost_micro) AS cost_micro
           FROM by_hour GROUP BY ALL),
     v AS (SELECT traffic_source, source, count(*) AS conversions FROM matched GROUP BY ALL),
     t AS (SELECT traffic_source, source, count(*) AS ctit_count, quantile_cont(ctit_s, 0.5) AS ctit_p50_s
           FROM timed GROUP BY ALL)
SELECT c.*, a.distinct_ips, a.top_ip_clicks, coalesce(v.conversions, 0) AS conversions, coalesce(t.ctit_count, 0) AS ctit_count, t.ctit_p50_s
FROM c JOIN addresses a USING (traffic_source, source) LEFT JOIN v USING (traffic_source, source)
     LEFT JOIN t USING (traffic_source, source)
ORDER BY ALL;
