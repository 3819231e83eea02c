-- Decisions. They may be made again (recovery is replay), with the same id and the same bytes, so their tables replace
-- by id; read them with FINAL. `document` is the canonical JSON that was published; the columns beside it are for
-- filters. `ordinal` counts the decisions of (partition, epoch), signals and alerts together, in the order they were made.
-- Order: people ask by detector and underlying over a time; the id at the end makes the key unique.
-- Retention: two years, the least that judging a detector takes (spec D.2: hundreds of trades per detector and side).

CREATE TABLE IF NOT EXISTS signals {on_cluster} (
    id String CODEC(ZSTD(1)),
    detector LowCardinality(String),
    version LowCardinality(String),
    underlying LowCardinality(String),
    direction LowCardinality(String),
    event_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    emitted_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    ordinal UInt32 CODEC(T64, ZSTD(1)),
    base Float64 CODEC(ZSTD(1)),
    document String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {rmt}
PARTITION BY toYYYYMM(emitted_ns)
ORDER BY (detector, underlying, emitted_ns, id)
TTL recorded_at + INTERVAL 2 YEAR DELETE
SETTINGS {dedup};

CREATE TABLE IF NOT EXISTS alerts {on_cluster} (
    id String CODEC(ZSTD(1)),
    signal_id String CODEC(ZSTD(1)),
    detector LowCardinality(String),
    version LowCardinality(String),
    underlying LowCardinality(String),
    direction LowCardinality(String),
    event_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    emitted_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    partition UInt16 CODEC(ZSTD(1)),
    epoch UInt64 CODEC(Delta, ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    ordinal UInt32 CODEC(T64, ZSTD(1)),
    score Float64 CODEC(ZSTD(1)),
    document String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {rmt}
PARTITION BY toYYYYMM(emitted_ns)
ORDER BY (detector, underlying, emitted_ns, id)
TTL recorded_at + INTERVAL 2 YEAR DELETE
SETTINGS {dedup};

-- Sampled views, one a context, underlying and minute. Order: a chart asks for one underlying's context over a day.
-- Retention: one year, as for gamma and regime history.
CREATE TABLE IF NOT EXISTS contexts {on_cluster} (
    context LowCardinality(String),
    version LowCardinality(String),
    underlying LowCardinality(String),
    as_of_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    ready UInt8,
    stance LowCardinality(String),
    confidence Float64 CODEC(ZSTD(1)),
    document String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {rmt}
PARTITION BY toYYYYMM(as_of_ns)
ORDER BY (underlying, context, as_of_ns)
TTL recorded_at + INTERVAL 1 YEAR DELETE
SETTINGS {dedup};

-- What then happened to a signal. Order: joined with signals by id. Retention: as signals.
CREATE TABLE IF NOT EXISTS outcomes {on_cluster} (
    signal_id String CODEC(ZSTD(1)),
    label LowCardinality(String),
    exit_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    document String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {rmt}
PARTITION BY toYYYYMM(exit_ns)
ORDER BY (signal_id, label)
TTL recorded_at + INTERVAL 2 YEAR DELETE
SETTINGS {dedup};

-- What could not be understood, with its bytes. Order: by time, as whoever looks wants the newest. 90 days, like the feed.
CREATE TABLE IF NOT EXISTS dead_letters {on_cluster} (
    received_ns DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    data String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {mt}
PARTITION BY toYYYYMMDD(received_ns)
ORDER BY (received_ns, source)
TTL recorded_at + INTERVAL 90 DAY DELETE
SETTINGS ttl_only_drop_parts = 1, {dedup};
