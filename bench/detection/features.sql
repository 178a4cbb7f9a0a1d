-- Counts of every source, for the rivals. `clicks` and `conversions` are the two CSV files, all columns as text.
-- Updates of one conversion are one: the latest row counts, its first time is the event's.

CREATE TABLE conversion AS
SELECT conversion_id, any_value(transaction_id) AS transaction_id, any_value(click_id) AS click_id,
       any_value(event) AS event, min(conversion_time)::TIMESTAMP AS time, arg_max(status, status_time) AS status,
       max(payout::DOUBLE) AS payout, any_value(sale_amount)::DOUBLE AS sale, any_value(player_id) AS player,
       any_value(click_time)::TIMESTAMP AS click_time, any_value(traffic_source) AS traffic_source,
       any_value(source) AS source, any_value(offer) AS offer, any_value(ip) AS ip,
       date_diff('second', any_value(click_time)::TIMESTAMP, min(conversion_time)::TIMESTAMP) AS ctit
FROM conversions GROUP BY conversion_id;

CREATE MACRO network(ip) AS
  CASE WHEN contains(ip, ':') THEN array_to_string(string_split(ip, ':')[:3], ':')
       ELSE array_to_string(string_split(ip, '.')[:3], '.') END;

CREATE TABLE of_clicks AS
SELECT traffic_source, source, count(*) AS clicks, mode(offer) AS offer, mode(country) AS country,
       count(*) FILTER (hour(click_time::TIMESTAMP) < 6) AS night,
       count(*) - count(DISTINCT ip) AS ip_repeats,
       count(*) FILTER (connection = 'hosting') AS hosting,
       count(DISTINCT user_agent) AS agents,
       count(*) - count(DISTINCT click_id) AS id_repeats
FROM clicks GROUP BY ALL;

CREATE TABLE top_network AS
SELECT traffic_source, source, max(n) AS top_network_clicks
FROM (SELECT traffic_source, source, network(ip) AS net, count(*) AS n FROM clicks GROUP BY ALL) GROUP BY ALL;

CREATE TABLE top_network_conversions AS
SELECT traffic_source, source, max(n) AS top_network_conversions
FROM (SELECT traffic_source, source, network(ip) AS net, count(*) AS n FROM conversion
      WHERE event = 'registration' GROUP BY ALL) GROUP BY ALL;

CREATE TABLE repeated AS   -- the second and later conversions of a transaction, harmless retries among them
SELECT traffic_source, source, count(*) AS duplicates
FROM (SELECT *, row_number() OVER (PARTITION BY transaction_id ORDER BY time, conversion_id) AS nth FROM conversion)
WHERE nth > 1 GROUP BY ALL;

CREATE TABLE orphan AS
SELECT traffic_source, source, count(*) AS orphans FROM conversion ANTI JOIN clicks USING (click_id)
WHERE event = 'registration' AND click_time >= (SELECT min(click_time)::TIMESTAMP FROM clicks) GROUP BY ALL;

CREATE TABLE minimum AS
SELECT offer, mode(sale) AS deposit FROM conversion WHERE event = 'first_deposit' GROUP BY offer;

CREATE TABLE again AS
SELECT traffic_source, source, count(*) AS depositors,
       count(*) FILTER (player IN (SELECT player FROM conversion WHERE event = 'deposit')) AS again
FROM conversion WHERE event = 'first_deposit' AND status = 'approved' GROUP BY ALL;

CREATE TABLE of_conversions AS
SELECT traffic_source, source,
       count(*) FILTER (event = 'registration') AS regs,
       count(*) FILTER (event = 'registration' AND ctit < 10) AS short,
       count(*) FILTER (event = 'registration' AND ctit > 86400) AS long,
       median(ctit) FILTER (event = 'registration') AS ctit_median,
       mad(ctit) FILTER (event = 'registration') AS ctit_mad,
       count(*) FILTER (status = 'approved') AS approved,
       count(*) FILTER (status = 'rejected') AS rejected,
       count(*) FILTER (event = 'first_deposit') AS ftds,
       count(*) FILTER (event = 'first_deposit' AND sale <= deposit) AS at_minimum
FROM conversion LEFT JOIN minimum USING (offer) GROUP BY ALL;

CREATE TABLE features AS
SELECT c.*, coalesce(COLUMNS(v.* EXCLUDE (traffic_source, source, ctit_median, ctit_mad)), 0), ctit_median, ctit_mad,
       top_network_clicks, coalesce(top_network_conversions, 0) AS top_network_conversions,
       coalesce(duplicates, 0) AS duplicates, coalesce(orphans, 0) AS orphans,
       coalesce(depositors, 0) AS depositors, coalesce(again, 0) AS again
FROM of_clicks c LEFT JOIN of_conversions v USING (traffic_source, source)
LEFT JOIN top_network USING (traffic_source, source) LEFT JOIN top_network_conversions USING (traffic_source, source)
LEFT JOIN repeated USING (traffic_source, source) LEFT JOIN orphan USING (traffic_source, source)
LEFT JOIN again USING (traffic_source, source) ORDER BY traffic_source, source;
