-- Credits, and what customers' state tells of subscriptions. See 00001 for what
-- all tables have in common.

-- +goose Up
CREATE TABLE customer_meters (
    seq         {{serial}},
    id          TEXT   NOT NULL UNIQUE,     -- made from the two below
    customer_id TEXT   NOT NULL,
    meter_id    TEXT   NOT NULL,
    credited    BIGINT NOT NULL,            -- the sum of its entries, but for those that consume;
    consumed    BIGINT NOT NULL,            -- and theirs, less than which is zero
    created_at  BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE INDEX customer_meters_customer ON customer_meters (customer_id);
CREATE INDEX customer_meters_meter ON customer_meters (meter_id, created_at);

CREATE TABLE credit_entries (
    id             {{serial}},
    customer_meter BIGINT NOT NULL,         -- its seq
    member_id      TEXT   NOT NULL,
    fulfilment_id  TEXT   NOT NULL,
    kind           TEXT   NOT NULL,         -- grant.EntryKind
    units          BIGINT NOT NULL,
    remaining      BIGINT NOT NULL,         -- of what was added
    source         BIGINT NOT NULL,         -- the entry it takes from; 0: none
    entry_key      TEXT   NOT NULL,         -- what is done once has one
    expires_at     BIGINT NOT NULL,
    occurred_at    BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE INDEX credit_entries_left ON credit_entries (customer_meter) WHERE remaining > 0;
CREATE INDEX credit_entries_meter ON credit_entries (customer_meter, id);
CREATE INDEX credit_entries_fulfilment ON credit_entries (fulfilment_id, id) WHERE fulfilment_id <> '';
CREATE UNIQUE INDEX credit_entries_key ON credit_entries (entry_key) WHERE entry_key <> '';

ALTER TABLE subscriptions ADD COLUMN body TEXT NOT NULL DEFAULT '';
CREATE INDEX subscriptions_customer ON subscriptions (customer_id);
