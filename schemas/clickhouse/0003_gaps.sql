-- The gap ledger: what the gateway did not hear, why, and what a refill found of it. An entry is written anew with each
-- thing that becomes known, under the same epoch and number, so the table replaces by these; read it with FINAL.
-- Order: people ask for an epoch's gaps. Retention: a year, longer than the market rows they explain.
CREATE TABLE IF NOT EXISTS gaps {on_cluster} (
    epoch UInt64,
    number UInt32,
    channel LowCardinality(String),
    cause LowCardinality(String),
    state LowCardinality(String),
    from_ns DateTime64(9, 'UTC'),
    to_ns Nullable(DateTime64(9, 'UTC')),
    lost_ns DateTime64(9, 'UTC'),
    prints_refilled UInt32,
    document String CODEC(ZSTD(3)),
    recorded_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
) ENGINE = {rmt}
ORDER BY (epoch, number)
TTL recorded_at + INTERVAL 1 YEAR DELETE
SETTINGS {dedup};
