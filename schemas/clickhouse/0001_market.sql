-- The log: what the gateway sequenced, as it was sequenced.
--
-- Column names are the lanes' (schemas/frames.py). `partition, epoch, seq, position` place a row in the log.
-- Order: replay reads one partition in log order, so that is the primary key; rows of a partition and epoch arrive in
-- that order, so merges are cheap and Delta makes the stamps almost free. Queries by underlying read one day's
-- partition: the underlying fixes the log partition, and a month of one underlying is a range of granules.
-- Retention: 90 days from when it was recorded (a tape of 2014 recorded today is kept as long as today's feed), dropped
-- by whole parts, as market data is bulky and can be bought again.
-- Codecs: Delta on stamps and counters, T64 on small integers, ZSTD(1) elsewhere: 28.7 bytes a trade against 47.9 (LZ4).

CREATE TABLE IF NOT EXISTS option_trades {on_cluster} (
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    event_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    underlying LowCardinality(FixedString(8)),
    root LowCardinality(FixedString(8)),
    expiry_day Date32 CODEC(ZSTD(1)),
    strike_mills Int32 CODEC(T64, ZSTD(1)),
    right Int8 CODEC(ZSTD(1)),
    price_usd Float64 CODEC(ZSTD(1)),
    size_contracts Int32 CODEC(T64, ZSTD(1)),
    exchange Int16 CODEC(T64, ZSTD(1)),
    condition Int16 CODEC(T64, ZSTD(1)),
    condition_bits UInt64 CODEC(ZSTD(1)),
    vendor_seq Int64 CODEC(Delta, ZSTD(1)),
    bid_usd Float64 CODEC(ZSTD(1)),
    ask_usd Float64 CODEC(ZSTD(1)),
    bid_size Int32 CODEC(T64, ZSTD(1)),
    ask_size Int32 CODEC(T64, ZSTD(1)),
    quote_age_ns Int64 CODEC(ZSTD(1)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {mt}
PARTITION BY toYYYYMMDD(received_ns)
ORDER BY (partition, epoch, position)
TTL recorded_at + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, {dedup};

CREATE TABLE IF NOT EXISTS option_greeks {on_cluster} (
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    event_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    underlying LowCardinality(FixedString(8)),
    root LowCardinality(FixedString(8)),
    expiry_day Date32 CODEC(ZSTD(1)),
    strike_mills Int32 CODEC(T64, ZSTD(1)),
    right Int8 CODEC(ZSTD(1)),
    multiplier Int32 CODEC(T64, ZSTD(1)),
    bid_usd Float64 CODEC(ZSTD(1)),
    ask_usd Float64 CODEC(ZSTD(1)),
    bid_size Int32 CODEC(T64, ZSTD(1)),
    ask_size Int32 CODEC(T64, ZSTD(1)),
    iv_annual Float64 CODEC(ZSTD(1)),
    delta Float64 CODEC(ZSTD(1)),
    gamma Float64 CODEC(ZSTD(1)),
    theta_day Float64 CODEC(ZSTD(1)),
    vega_point Float64 CODEC(ZSTD(1)),
    open_interest Int64 CODEC(T64, ZSTD(1)),
    day_volume Int64 CODEC(T64, ZSTD(1)),
    spot_usd Float64 CODEC(ZSTD(1)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {mt}
PARTITION BY toYYYYMMDD(received_ns)
ORDER BY (partition, epoch, position)
TTL recorded_at + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, {dedup};

CREATE TABLE IF NOT EXISTS index_ticks {on_cluster} (
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    event_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    symbol LowCardinality(FixedString(8)),
    kind Int8 CODEC(ZSTD(1)),
    price_usd Float64 CODEC(ZSTD(1)),
    high_usd Float64 CODEC(ZSTD(1)),
    low_usd Float64 CODEC(ZSTD(1)),
    volume Int64 CODEC(T64, ZSTD(1)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {mt}
PARTITION BY toYYYYMMDD(received_ns)
ORDER BY (partition, epoch, position)
TTL recorded_at + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- One row a frame, heartbeats and opening frames included: they carry time. In a store that one process owns a frame's
-- row is written after its market rows, so it is their commit mark: rows without a frame are cut off at the next start.
-- Order: log order again; every replay begins by reading this table.
CREATE TABLE IF NOT EXISTS frames {on_cluster} (
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    seq UInt64 CODEC(Delta, ZSTD(1)),
    lane UInt8 CODEC(ZSTD(1)),
    clock UInt8 CODEC(ZSTD(1)),
    opening UInt8 CODEC(ZSTD(1)),
    rows UInt32 CODEC(T64, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    received_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {mt}
PARTITION BY toYYYYMMDD(received_ns)
ORDER BY (partition, epoch, seq)
TTL recorded_at + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- One row a start of the gateway: what was in force. Never expires: a decision must be explainable for as long as it is
-- kept. Order: the epoch is how it is looked up.
CREATE TABLE IF NOT EXISTS epochs {on_cluster} (
    epoch UInt64,
    started_ns DateTime64(9, 'UTC'),
    source String,
    clock UInt8,
    partitions UInt16,
    rules String CODEC(ZSTD(3)),
    rules_digest LowCardinality(String),
    program LowCardinality(String)
) ENGINE = {mt}
ORDER BY epoch
SETTINGS {dedup};
