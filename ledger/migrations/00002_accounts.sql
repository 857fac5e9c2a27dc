-- What accounts hold at providers. See 00001 for what all tables have in common.

-- +goose Up
CREATE TABLE identities (
    customer_id TEXT   NOT NULL,
    member_id   TEXT   NOT NULL,        -- '': the customer alone
    provider    TEXT   NOT NULL,
    how         TEXT   NOT NULL,        -- linked; found: by the customer's words
    words       TEXT   NOT NULL,        -- those words
    account_id  TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    verified    BIGINT NOT NULL,
    linked_at   BIGINT NOT NULL,
    PRIMARY KEY (customer_id, member_id, provider, how, words)
);

-- A resource that an account holds, or is about to.
CREATE TABLE resources (
    provider    TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    account     TEXT   NOT NULL,
    origin      TEXT   NOT NULL,        -- grant.Origin; '' until it has been judged
    before      BIGINT NOT NULL,        -- the level from before
    lease_token TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (provider, name, account)
);
CREATE INDEX resources_lease ON resources (lease_token) WHERE lease_token <> '';

CREATE TABLE holds (
    provider      TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    account       TEXT   NOT NULL,
    fulfilment_id TEXT   NOT NULL,
    level         BIGINT NOT NULL,
    worked        BIGINT NOT NULL DEFAULT 0, -- 1: its Grant has succeeded
    PRIMARY KEY (provider, name, account, fulfilment_id)
);
CREATE INDEX holds_fulfilment ON holds (fulfilment_id);

-- What rests until when; what has passed of late, and when others are expected.
CREATE TABLE lanes (
    name  TEXT   PRIMARY KEY,
    until BIGINT NOT NULL,
    why   TEXT   NOT NULL
);
CREATE TABLE passes (
    lane     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    who      TEXT   NOT NULL,
    expected BIGINT NOT NULL            -- 1: it has been told to come then
);
CREATE INDEX passes_lane ON passes (lane, at);
