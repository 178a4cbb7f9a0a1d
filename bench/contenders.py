"""What a good engineer would write by hand for the same numbers: in DuckDB's SQL, in polars, in pandas.

Each function reads the two files, computes the measures, and returns the compared numbers as a list of dictionaries
by source. Nothing is inferred from the files: types are declared.
"""

import math
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent

CLICKS = {
    "click_id": "VARCHAR", "click_time": "TIMESTAMP", "traffic_source": "VARCHAR", "source": "VARCHAR",
    "sub_source": "VARCHAR", "campaign": "VARCHAR", "offer": "VARCHAR", "lander_click_time": "TIMESTAMP",
    "country": "VARCHAR", "device": "VARCHAR", "os": "VARCHAR", "browser": "VARCHAR", "ip": "VARCHAR",
    "user_agent": "VARCHAR", "cost": "DOUBLE", "currency": "VARCHAR",
}
CONVERSIONS = {
    "conversion_id": "VARCHAR", "transaction_id": "VARCHAR", "click_id": "VARCHAR", "event": "VARCHAR",
    "conversion_time": "TIMESTAMP", "status": "VARCHAR", "status_time": "TIMESTAMP", "payout": "DOUBLE",
    "currency": "VARCHAR", "click_time": "TIMESTAMP", "traffic_source": "VARCHAR", "source": "VARCHAR",
    "campaign": "VARCHAR", "ip": "VARCHAR", "country": "VARCHAR",
}
CLICK_FIELDS = ["click_id", "click_time", "traffic_source", "source", "offer", "country", "device", "ip",
                "user_agent", "lander_click_time", "cost"]
CONVERSION_FIELDS = ["conversion_id", "transaction_id", "click_id", "event", "conversion_time", "status",
                     "status_time", "payout", "click_time", "traffic_source", "source", "ip"]
SOURCE = ["traffic_source", "source"]
# Events that a person needs a minimum of time for.
TIMED = ["install", "registration", "lead", "first_deposit", "sale", "conversion"]


def scan(path, columns):
    """The FROM item that reads a file in DuckDB."""
    if path.suffix == ".parquet":
        return f"read_parquet('{path}')"
    return f"read_csv('{path}', header = true, quote = '\"', auto_detect = false, columns = {columns})"


def plain(value):
    return value if value is None or isinstance(value, str) else value if isinstance(value, float) else int(value)


def poisson_tail(least, mean):
    """How often chance has at least so many where so many are usual."""
    return 1 - sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(least))


def with_duckdb(clicks, conversions, threads):
    import duckdb
    # Without the threshold DuckDB stops midway to compress the tables it holds in memory: four CPU seconds for nothing.
    db = duckdb.connect(":memory:", config={"threads": threads, "checkpoint_threshold": "1TB"})
    db.sql(f"""CREATE TABLE clicks AS SELECT * EXCLUDE cost, CAST(round(cost * 1e6) AS BIGINT) AS cost_micro
               FROM (SELECT {', '.join(CLICK_FIELDS)} FROM {scan(clicks, CLICKS)})""")
    db.sql(f"""CREATE TABLE conversions AS SELECT * EXCLUDE payout, CAST(round(payout * 1e6) AS BIGINT) AS payout_micro
               FROM (SELECT {', '.join(CONVERSION_FIELDS)} FROM {scan(conversions, CONVERSIONS)})""")
    db.execute((HERE / "measures.sql").read_text())
    rows = db.sql("FROM compared")
    return [dict(zip(rows.columns, map(plain, row))) for row in rows.fetchall()]


def with_polars(clicks, conversions, threads):
    """The tables of measures.sql, as expressions."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl
    col = pl.col
    hours = pl.duration(hours=24)

    def read(path, columns, fields):
        kinds = {"VARCHAR": pl.String, "TIMESTAMP": pl.String, "DOUBLE": pl.Float64}
        if path.suffix == ".parquet":
            return pl.scan_parquet(path).select(fields)
        lazy = pl.scan_csv(path, schema={name: kinds[kind] for name, kind in columns.items()}).select(fields)
        times = [name for name in fields if columns[name] == "TIMESTAMP"]
        return lazy.with_columns(col(times).str.to_datetime("%Y-%m-%d %H:%M:%S"))

    micro = lambda name: (col(name) * 1e6).round().cast(pl.Int64).alias(f"{name}_micro")
    k = read(clicks, CLICKS, CLICK_FIELDS).with_columns(micro("cost")).drop("cost").collect(engine="streaming").lazy()
    v = read(conversions, CONVERSIONS, CONVERSION_FIELDS).with_columns(micro("payout")).drop("payout").collect().lazy()
    repeated = k.group_by("click_id").len().filter(col("len") > 1).select("click_id").collect().lazy()
    text = lambda name: col(name).cast(pl.String).fill_null("")
    others = [text("offer"), col("lander_click_time").dt.epoch("us").cast(pl.String).fill_null("")]
    others += [text(name) for name in ("country", "device", "ip", "user_agent", "cost_micro")]
    again = k.with_row_index("row").join(repeated, on="click_id", how="semi").with_columns(
        pl.concat_str(others, separator="|").alias("text")).sort("text", descending=True).group_by(
        ["click_id", "click_time"] + SOURCE, maintain_order=True).agg(col("row").slice(1)).explode("row").drop_nulls("row").collect()
    if len(again):
        k = k.with_row_index("row").filter(~col("row").is_in(again["row"].implode())).drop("row").collect().lazy()
    as_of = max(k.select(col("click_time").max()).collect().item(), v.select(col("status_time").max()).collect().item())
    first_click = k.select(col("click_time").min()).collect().item()

    day, mature = col("click_time").dt.date().alias("day"), col("click_time") <= as_of - hours
    part = SOURCE + ["offer"]
    by_hour = k.group_by(part + ["country", "device", day, col("click_time").dt.hour().alias("hour")]).agg(
        pl.len().alias("clicks"), mature.sum().alias("mature_clicks"), col("cost_micro").sum(),
        col("cost_micro").filter(mature).sum().alias("mature_cost_micro"),
        col("lander_click_time").count().alias("lander_clicks"), col("user_agent").count().alias("agent_clicks"),
        col("ip").count().alias("addressed_clicks"),
        col("click_id").str.contains(r"^([{<\[]|\$\{|%7[Bb]).*([}>\]]|%7[Dd])$").sum().alias("macros"))
    delays = k.filter(col("lander_click_time").is_not_null()).group_by(
        part + [(col("lander_click_time") - col("click_time")).dt.total_seconds().alias("delay_s")]).len()

    n = col("n")
    some = lambda rows, name: rows.filter(col(name).is_not_null()).group_by(part + [name, day]).agg(pl.len().alias("n"))
    pairs = lambda rows: rows.group_by(part + ["day"]).agg((n * (n - 1)).sum(), (n.sum() * (n.sum() - 1)).alias("pairings"))
    over_days = lambda rows, name: rows.group_by(SOURCE + [name]).agg(n.sum())
    address_days, agent_days = some(k, "ip"), some(k, "user_agent")
    v6 = (col("ip").str.split("::").list.first() + ":0:0").str.split(":").list.head(3).list.join(":")
    network = pl.when(col("ip").str.contains(":", literal=True)).then(v6).otherwise(col("ip").str.replace(r"\.[0-9]+$", ""))
    network_days = address_days.group_by(part + ["day", network.alias("network")]).agg(n.sum())
    networks = over_days(network_days, "network")
    crowded = (n >= 20) & (n * 100 >= n.sum())
    crowds = networks.group_by(SOURCE).agg(pl.len().alias("distinct_networks"), n.max().alias("top_network_clicks"),
                                           crowded.sum().alias("crowd_networks"), n.filter(crowded).sum().alias("crowd_clicks"))
    agents = over_days(agent_days, "user_agent").group_by(SOURCE).agg(pl.len().alias("distinct_agents"))
    multiplicities = over_days(address_days, "ip").group_by(SOURCE + ["n"]).len()
    addresses = multiplicities.group_by(SOURCE).agg(col("len").sum().alias("distinct_ips"), n.max().alias("top_ip_clicks"))

    visitor = part + ["ip", "user_agent"]
    visitors = k.filter(col("ip").is_not_null()).group_by(visitor).agg(n=pl.len())
    since = lambda over: col("click_time") - col("click_time").shift(1).over(over, order_by="click_time")
    repeats = k.join(visitors.filter(n > 1), on=visitor, how="semi", nulls_equal=True).select(
        SOURCE + [since(visitor).alias("since")]).group_by(SOURCE).agg(
        (col("since") <= pl.duration(seconds=60)).sum().alias("repeats"))
    visitors = visitors.group_by(SOURCE).agg(pl.len().alias("distinct_visitors"))
    gaps = k.select(part + [day, "click_time"]).select(part + ["day", since(part + ["day"]).dt.total_seconds().alias("gap_s")]
        ).filter(col("gap_s") <= 3600).group_by(part + ["day", "gap_s"]).len()
    minutes = k.group_by(part + [col("click_time").dt.truncate("1m").alias("time")]).agg(n=pl.len())
    windows = minutes.group_by(part + [col("time").dt.truncate("5m")]).agg(n.sum(), (n * (n - 1)).sum().alias("minute_pairs"))
    hour = [col("time").dt.date().alias("day"), col("time").dt.hour().alias("hour")]
    rhythm = windows.group_by(part + hour).agg(col("minute_pairs").sum(), (n * (n - 1)).sum().alias("window_pairs"),
                                               n.max().alias("busiest"), n.sum())
    usual = 1.15 * pl.max_horizontal((n.sum().over(part + ["day", "hour"]) - n) / 11, n.sum().over(part + ["day"]) / 288)
    far = windows.with_columns(hour).with_columns(usual.alias("usual")).filter(
        (n >= 10) & (n > col("usual") + 4 * col("usual").sqrt()))
    rare = pl.struct("n", "usual").map_elements(lambda w: poisson_tail(w["n"], w["usual"]) < 1e-6, return_dtype=pl.Boolean)
    bursts = far.filter(rare).group_by(SOURCE).agg(n.sum())
    busiest_windows = rhythm.group_by(SOURCE).agg(col("busiest").max().alias("busiest_five_minutes"))
    busiest = lambda rows, name: rows.filter(col("ip").is_not_null()).group_by(SOURCE + ["ip"]).len().group_by(
        SOURCE).agg(pl.len().alias("distinct_ips"), col("len").max().alias(name))
    ids = k.join(repeated, on="click_id", how="semi").group_by("click_id").len().filter(col("len") > 1)
    reused = k.join(ids, on="click_id", how="semi").group_by(SOURCE).len()

    latest = v.sort("status_time").unique("conversion_id", keep="last", maintain_order=True)
    once_more = ["click_id", "event", "status", "payout_micro"]
    window = ["offer", "transaction_id", "event"]
    offers = k.join(latest, on="click_id", how="semi").sort("click_time").group_by("click_id", maintain_order=True).agg(
        col("offer").first())
    order = latest.join(offers, on="click_id", how="left").sort("transaction_id", "event", "conversion_time", "conversion_id")
    nth = pl.int_range(pl.len()).over(window)
    alike = pl.all_horizontal(col(name).eq_missing(col(name).first().over(window)) for name in once_more)
    near = col("conversion_time") <= col("conversion_time").first().over(window) + hours
    classed = order.with_columns(pl.when(nth == 0).then(pl.lit("first")).when(alike & near).then(pl.lit("retry"))
                                 .otherwise(pl.lit("replay")).alias("class")).drop("offer").collect().lazy()
    once = classed.filter(col("class") != "retry")
    hits = k.join(once, on="click_id", how="semi").select(["click_id", "click_time", *SOURCE, "offer", "country", "device"])
    joined = once.rename({"click_time": "told", "traffic_source": "told_ts", "source": "told_source"}).join(
        hits, on="click_id", how="left")
    seconds = (col("conversion_time") - col("click_time")).dt.total_seconds().alias("ctit_s")
    told = col("click_time").eq_missing(col("told"))
    matched = joined.with_columns(seconds, col("traffic_source").fill_null(col("told_ts")),
                                  col("source").fill_null(col("told_source"))).sort(
        ["conversion_id", told, (col("click_time") <= col("conversion_time")), col("ctit_s").abs()],
        descending=[False, True, True, False], nulls_last=True).unique(
        "conversion_id", keep="first", maintain_order=True).collect().lazy()

    by_day = matched.filter(col("ctit_s") >= 0).group_by(
        SOURCE + ["offer", "country", "device", col("click_time").dt.date().alias("day"), "event", "status"]).agg(
        pl.len(), col("payout_micro").sum(), col("click_id").n_unique())
    timed = matched.filter((col("ctit_s") >= 0) & col("event").is_in(TIMED)).sort("conversion_time").unique(
        ["click_id", "click_time"], keep="first", maintain_order=True)
    ctit = timed.group_by(SOURCE + ["event", "ctit_s"]).len()
    absent, early = col("click_time").is_null(), col("told") < first_click
    unmatched = matched.group_by(SOURCE).agg((absent & ~early).sum().alias("orphans"), (absent & early).sum().alias("outside"),
                                             (col("ctit_s") < 0).sum().alias("before_click"))
    repeated = classed.filter(col("class") != "first").group_by(SOURCE + ["class"]).len()
    of_conversions = busiest(matched, "top_ip_conversions")

    compared = [by_hour, addresses, crowds, agents, visitors, repeats, busiest_windows,
                bursts.rename({"n": "burst_clicks"}), reused.rename({"len": "reused"}), unmatched.drop("outside"),
                repeated.filter(col("class") == "replay").select(*SOURCE, col("len").alias("replays")),
                matched.group_by(SOURCE).agg(pl.len().cast(pl.Int64).alias("conversions")),
                timed.group_by(SOURCE).agg(pl.len().cast(pl.Int64).alias("ctit_count"),
                                           col("ctit_s").quantile(0.5, "linear").alias("ctit_p50_s"))]
    others = [delays, pairs(address_days), pairs(network_days), pairs(agent_days), multiplicities, gaps, rhythm, by_day,
              ctit, of_conversions]
    hourly, *rest = pl.collect_all(compared + others, engine="streaming")[:len(compared)]
    weekend = col("day").dt.weekday() >= 6
    rows = hourly.group_by(SOURCE).agg(col("clicks", "mature_clicks", "lander_clicks", "cost_micro", "macros").sum(),
                                       col("clicks").filter(weekend).sum().alias("weekend_clicks"))
    for table in rest:
        rows = rows.join(table, on=SOURCE, how="left", nulls_equal=True)
    zero = ["conversions", "ctit_count", "repeats", "burst_clicks", "reused", "orphans", "before_click", "replays"]
    return rows.drop("distinct_networks").with_columns(col(zero).fill_null(0)).to_dicts()


def with_pandas(clicks, conversions, threads):
    """Only the compared numbers; pandas has one thread."""
    import pandas as pd

    def read(path, columns, fields):
        if path.suffix == ".parquet":
            return pd.read_parquet(path, columns=fields)
        times = [name for name in fields if columns[name] == "TIMESTAMP"]
        texts = {name: "string" for name in fields if columns[name] == "VARCHAR"}
        return pd.read_csv(path, usecols=fields, dtype=texts, parse_dates=times, keep_default_na=False, na_values=[""])

    k = read(clicks, CLICKS, CLICK_FIELDS)
    v = read(conversions, CONVERSIONS, CONVERSION_FIELDS)
    k["cost_micro"] = (k.pop("cost") * 1e6).round().astype("int64")
    v["payout_micro"] = (v.pop("payout") * 1e6).round().astype("Int64")
    by_source = k.groupby(SOURCE).agg(clicks=("click_time", "size"), cost_micro=("cost_micro", "sum"))
    addresses = k.groupby(SOURCE + ["ip"]).size().groupby(SOURCE).agg(distinct_ips="size", top_ip_clicks="max")
    latest = v.sort_values("status_time", kind="stable").drop_duplicates("conversion_id", keep="last")
    latest = latest.sort_values(["transaction_id", "event", "conversion_time", "conversion_id"])
    groups = latest.groupby(["transaction_id", "event"], dropna=False)
    first = groups[["click_id", "status", "payout_micro", "conversion_time"]].transform("first")
    same = lambda name: (latest[name] == first[name]) | (latest[name].isna() & first[name].isna())
    near = latest["conversion_time"] <= first["conversion_time"] + pd.Timedelta(hours=24)
    retry = (groups.cumcount() > 0) & same("click_id") & same("status") & same("payout_micro") & near
    once = latest[~retry].rename(columns={"click_time": "told", "traffic_source": "told_ts", "source": "told_source"})
    hits = k.loc[k["click_id"].isin(once["click_id"]), ["click_id", "click_time", *SOURCE]]
    m = once.merge(hits, on="click_id", how="left")
    for name, told in zip(SOURCE, ["told_ts", "told_source"]):
        m[name] = m[name].fillna(m[told])
    m["ctit_s"] = (m["conversion_time"] - m["click_time"]).dt.total_seconds()
    m["by_told"] = ~((m["click_time"] == m["told"]) | (m["click_time"].isna() & m["told"].isna()))
    m["later"], m["far"] = ~(m["click_time"] <= m["conversion_time"]), m["ctit_s"].abs()
    m = m.sort_values(["conversion_id", "by_told", "later", "far"]).drop_duplicates("conversion_id")
    timed = m[(m["ctit_s"] >= 0) & m["event"].isin(TIMED)].sort_values("conversion_time", kind="stable")
    timed = timed.drop_duplicates(["click_id", "click_time"])
    times = timed.groupby(SOURCE)["ctit_s"].agg(ctit_count="size", ctit_p50_s="median")
    all_of = by_source.join(addresses).join(m.groupby(SOURCE).size().rename("conversions")).join(times)
    all_of = all_of.fillna({"conversions": 0, "ctit_count": 0}).reset_index()
    return [{name: None if pd.isna(value) else value if isinstance(value, str) else float(value)
             if name == "ctit_p50_s" else int(value) for name, value in row.items()}
            for row in all_of.to_dict("records")]
