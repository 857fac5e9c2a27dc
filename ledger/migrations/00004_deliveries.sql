-- What endpoints are to be told. See 00001 for what all tables have in common.

-- +goose Up
CREATE TABLE deliveries (
    seq         {{serial}},
    id          TEXT   NOT NULL UNIQUE,     -- the webhook-id
    endpoint    TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,            -- the grant or the benefit
    customer_id TEXT   NOT NULL,            -- '': none
    data        TEXT   NOT NULL,            -- '' once delivered
    created_at  BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,            -- 0: delivered, or given up
    done_at     BIGINT NOT NULL,            -- 0: not delivered
    attempts    BIGINT NOT NULL,            -- failed ones in a row
    since       BIGINT NOT NULL,            -- the first of them
    error       TEXT   NOT NULL,
    lease_token TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (endpoint, due_at, seq) WHERE due_at > 0;
CREATE INDEX deliveries_failed ON deliveries (seq) WHERE due_at = 0 AND done_at = 0;
CREATE INDEX deliveries_created ON deliveries (created_at);
CREATE INDEX deliveries_undelivered ON deliveries (created_at) WHERE data <> '';

-- What endpoints were last told of a grant.
CREATE TABLE announced (
    grant_id TEXT PRIMARY KEY,
    state    TEXT NOT NULL,                 -- granted, waiting or revoked; '': neither
    digest   TEXT NOT NULL                  -- of what the grant shows
);
