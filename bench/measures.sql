-- The measures of the audit, by hand. Before: tables `clicks` and `conversions` with only the columns used here, and
-- `cost_micro` and `payout_micro` as whole numbers. A group is a source together with its traffic source.

CREATE TABLE repeated_ids AS
SELECT click_id FROM clicks GROUP BY click_id HAVING count(*) > 1;

-- A click that stands in several rows (one ID, time and source) counts once: the row whose columns make the largest text.
DELETE FROM clicks WHERE rowid IN (
    SELECT id FROM (SELECT rowid AS id, row_number() OVER (
                        PARTITION BY click_id, click_time, traffic_source, source
                        ORDER BY concat_ws('|', coalesce(offer, ''), coalesce(CAST(epoch_us(lander_click_time) AS VARCHAR), ''),
                                           coalesce(country, ''), coalesce(device, ''), coalesce(ip, ''),
                                           coalesce(user_agent, ''), coalesce(CAST(cost_micro AS VARCHAR), '')) DESC) AS place
                    FROM clicks WHERE click_id IN (SELECT click_id FROM repeated_ids))
    WHERE place > 1);

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
       sum(cost_micro) FILTER (click_time <= (SELECT as_of - INTERVAL 24 HOUR FROM span)) AS mature_cost_micro,
       count(lander_click_time) AS lander_clicks,
       count(user_agent) AS agent_clicks, count(ip) AS addressed_clicks,
       count(*) FILTER (regexp_matches(click_id, '^([{<\[]|\$\{|%7[Bb]).*([}>\]]|%7[Dd])$')) AS macros
FROM clicks
GROUP BY ALL;

-- Seconds to the click on the landing page.
CREATE TABLE lander_delays AS
SELECT traffic_source, source, offer, date_diff('second', click_time, lander_click_time) AS delay_s, count(*) AS clicks
FROM clicks
WHERE lander_click_time IS NOT NULL
GROUP BY ALL;

-- Addresses of clicks: by day, for pairs of clicks that share one; over all days, distinct ones and their clicks.
CREATE TABLE address_days AS
SELECT traffic_source, source, offer, ip, CAST(click_time AS DATE) AS day, count(*) AS n
FROM clicks
WHERE ip IS NOT NULL
GROUP BY ALL;

CREATE TABLE address_pairs AS
SELECT traffic_source, source, offer, day, sum(n * (n - 1)) AS pairs, sum(n) * (sum(n) - 1) AS pairings
FROM address_days
GROUP BY ALL;

CREATE TABLE address_multiplicities AS
SELECT traffic_source, source, n, count(*) AS addresses
FROM (SELECT traffic_source, source, ip, sum(n) AS n FROM address_days GROUP BY ALL)
GROUP BY ALL;

CREATE TABLE addresses AS
SELECT traffic_source, source, sum(addresses) AS distinct_ips, max(n) AS top_ip_clicks
FROM address_multiplicities
GROUP BY ALL;

-- Networks, /24 and /48, likewise; those that hold at least one in a hundred of the clicks and twenty are crowded.
CREATE TABLE network_days AS
SELECT traffic_source, source, offer, day, sum(n) AS n,
       CASE WHEN contains(ip, ':')
            THEN array_to_string(list_resize(string_split(split_part(ip, '::', 1), ':'), 3, '0'), ':')
            ELSE left(ip, length(ip) - position('.' IN reverse(ip))) END AS network
FROM address_days
GROUP BY ALL;

CREATE TABLE network_pairs AS
SELECT traffic_source, source, offer, day, sum(n * (n - 1)) AS pairs, sum(n) * (sum(n) - 1) AS pairings
FROM network_days
GROUP BY ALL;

CREATE TABLE networks AS
SELECT traffic_source, source, network, sum(n) AS n FROM network_days GROUP BY ALL;

CREATE TABLE crowds AS
SELECT traffic_source, source, count(*) AS distinct_networks, max(n) AS top_network_clicks,
       count(*) FILTER (n >= 20 AND n * 100 >= clicks) AS crowd_networks,
       coalesce(sum(n) FILTER (n >= 20 AND n * 100 >= clicks), 0) AS crowd_clicks
FROM networks JOIN (SELECT traffic_source, source, sum(n) AS clicks FROM networks GROUP BY ALL)
     USING (traffic_source, source)
GROUP BY ALL;

-- User agents, likewise.
CREATE TABLE agent_days AS
SELECT traffic_source, source, offer, user_agent, CAST(click_time AS DATE) AS day, count(*) AS n
FROM clicks
WHERE user_agent IS NOT NULL
GROUP BY ALL;

CREATE TABLE agent_pairs AS
SELECT traffic_source, source, offer, day, sum(n * (n - 1)) AS pairs, sum(n) * (sum(n) - 1) AS pairings
FROM agent_days
GROUP BY ALL;

CREATE TABLE agents AS
SELECT traffic_source, source, user_agent, sum(n) AS n FROM agent_days GROUP BY ALL;

-- Visitors: pairs of address and user agent. A click at most a minute after another one of its visitor on the same
-- offer is a repeat; only visitors with several clicks are looked at in the order of time.
CREATE TABLE visitors AS
SELECT traffic_source, source, offer, ip, user_agent, count(*) AS n
FROM clicks
WHERE ip IS NOT NULL
GROUP BY ALL;

CREATE TABLE repeats AS
SELECT traffic_source, source, count(*) FILTER (since <= INTERVAL 60 SECOND) AS repeats
FROM (SELECT traffic_source, source,
             click_time - lag(click_time) OVER (PARTITION BY traffic_source, source, offer, ip, user_agent
                                                ORDER BY click_time) AS since
      FROM clicks SEMI JOIN (SELECT * FROM visitors WHERE n > 1) AS v
           ON v.traffic_source = clicks.traffic_source AND v.source = clicks.source AND v.offer = clicks.offer
              AND v.ip = clicks.ip AND v.user_agent IS NOT DISTINCT FROM clicks.user_agent)
GROUP BY ALL;

-- Gaps of at most an hour between successive clicks of a day.
CREATE TABLE gaps AS
SELECT traffic_source, source, offer, day, gap_s, count(*) AS gaps
FROM (SELECT traffic_source, source, offer, CAST(click_time AS DATE) AS day,
             date_diff('second', lag(click_time) OVER (PARTITION BY traffic_source, source, offer,
                                                       CAST(click_time AS DATE) ORDER BY click_time), click_time) AS gap_s
      FROM clicks)
WHERE gap_s <= 3600
GROUP BY ALL;

-- Minutes, five minutes and hours: how evenly clicks come within hours, and the windows that hold far more than the
-- rest of their hour and day explain.
CREATE TABLE minutes AS
SELECT traffic_source, source, offer, date_trunc('minute', click_time) AS minute, count(*) AS n
FROM clicks
GROUP BY ALL;

CREATE TABLE windows AS
SELECT traffic_source, source, offer, time_bucket(INTERVAL 5 MINUTE, minute) AS time, sum(n) AS n,
       sum(n * (n - 1)) AS minute_pairs
FROM minutes
GROUP BY ALL;

CREATE TABLE rhythm AS
SELECT traffic_source, source, offer, CAST(time AS DATE) AS day, hour(time) AS hour, sum(n) AS n,
       sum(minute_pairs) AS minute_pairs, sum(n * (n - 1)) AS window_pairs, max(n) AS busiest
FROM windows
GROUP BY ALL;

-- Chance fills such a window less than once in a million: the Poisson tail, where four deviations are exceeded at all.
CREATE TABLE bursts AS
SELECT traffic_source, source, sum(w.n) AS clicks
FROM (SELECT *, 1.15 * greatest((h.n - w.n) / 11.0, sum(w.n) OVER (PARTITION BY w.traffic_source, w.source, w.offer, h.day)
                                / 288.0) AS usual
      FROM windows w JOIN rhythm h ON h.traffic_source = w.traffic_source AND h.source = w.source AND h.offer = w.offer
           AND h.day = CAST(w.time AS DATE) AND h.hour = hour(w.time)
      WHERE h.n >= 10) AS w
WHERE CASE WHEN w.n < 10 OR w.n <= usual + 4 * sqrt(usual) THEN false
           ELSE 1 - list_sum([exp(k * ln(usual) - usual - lgamma(k + 1)) FOR k IN range(CAST(w.n AS BIGINT))]) < 1e-6 END
GROUP BY ALL;

-- Clicks whose ID another click has too.
CREATE TABLE reused AS
SELECT traffic_source, source, count(*) AS clicks
FROM clicks
WHERE click_id IN (SELECT click_id FROM clicks WHERE click_id IN (SELECT click_id FROM repeated_ids)
                   GROUP BY click_id HAVING count(*) > 1)
GROUP BY ALL;

-- Status updates: the latest row of a conversion ID wins.
CREATE TABLE latest AS
SELECT * FROM conversions
QUALIFY row_number() OVER (PARTITION BY conversion_id ORDER BY status_time DESC) = 1;

-- A transaction's ID is unique within the offer of its click.
CREATE TABLE offers AS
SELECT click_id, min_by(offer, click_time) AS offer
FROM clicks
WHERE click_id IN (SELECT click_id FROM latest)
GROUP BY ALL;

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
      FROM latest LEFT JOIN offers USING (click_id)
      WINDOW w AS (PARTITION BY offer, transaction_id, event ORDER BY conversion_time, conversion_id));

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
WITH c AS (SELECT traffic_source, source, sum(clicks) AS clicks, sum(mature_clicks) AS mature_clicks,
                  sum(lander_clicks) AS lander_clicks, sum(cost_micro) AS cost_micro,
                  sum(clicks) FILTER (isodow(day) >= 6) AS weekend_clicks, sum(macros) AS macros
           FROM by_hour GROUP BY ALL),
     v AS (SELECT traffic_source, source, count(*) AS conversions FROM matched GROUP BY ALL),
     t AS (SELECT traffic_source, source, count(*) AS ctit_count, quantile_cont(ctit_s, 0.5) AS ctit_p50_s
           FROM timed GROUP BY ALL),
     u AS (SELECT traffic_source, source, count(*) AS distinct_agents FROM agents GROUP BY ALL),
     i AS (SELECT traffic_source, source, count(*) AS distinct_visitors FROM visitors GROUP BY ALL),
     r AS (SELECT traffic_source, source, max(busiest) AS busiest_five_minutes FROM rhythm GROUP BY ALL),
     rp AS (SELECT traffic_source, source, sum(conversions) AS replays FROM repeated WHERE class = 'replay' GROUP BY ALL)
SELECT c.* REPLACE (coalesce(weekend_clicks, 0) AS weekend_clicks),
       coalesce(o.clicks, 0) AS reused, coalesce(b.clicks, 0) AS burst_clicks,
       coalesce(w.orphans, 0) AS orphans, coalesce(w.before_click, 0) AS before_click, coalesce(rp.replays, 0) AS replays,
       a.distinct_ips, a.top_ip_clicks,
       n.top_network_clicks, n.crowd_networks, n.crowd_clicks, u.distinct_agents, i.distinct_visitors,
       coalesce(p.repeats, 0) AS repeats, r.busiest_five_minutes,
       coalesce(v.conversions, 0) AS conversions, coalesce(t.ctit_count, 0) AS ctit_count, t.ctit_p50_s
FROM c JOIN addresses a USING (traffic_source, source) LEFT JOIN v USING (traffic_source, source)
     LEFT JOIN t USING (traffic_source, source) JOIN crowds n USING (traffic_source, source)
     JOIN u USING (traffic_source, source) JOIN i USING (traffic_source, source)
     JOIN r USING (traffic_source, source) LEFT JOIN repeats p USING (traffic_source, source)
     LEFT JOIN reused o USING (traffic_source, source) LEFT JOIN bursts b USING (traffic_source, source)
     LEFT JOIN unmatched w USING (traffic_source, source) LEFT JOIN rp USING (traffic_source, source)
ORDER BY ALL;
