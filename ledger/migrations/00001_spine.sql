-- Written once for both engines: {{serial}}, {{blob}} and {{bytewise}} are each engine's own
-- words. Times are microseconds since 1970 in UTC, 0 for none. Text is '' for
-- none. JSON is text. {ver_at, ver_sent} is the version of what the shop said.

-- +goose Up
CREATE TABLE events (
    seq         {{serial}},
    source      TEXT   NOT NULL,
    webhook_id  TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    daemon      TEXT   NOT NULL,            -- who accepted it, and applies it first
    error       TEXT   NOT NULL DEFAULT '',
    sha256      {{blob}} NOT NULL,
    UNIQUE (webhook_id, source)             -- in this order: people ask by the id alone
);
CREATE INDEX events_unapplied ON events (seq) WHERE state = 'accepted';
CREATE INDEX events_failed ON events (seq) WHERE state = 'failed';
CREATE INDEX events_received ON events (received_at);

CREATE TABLE bodies (
    seq  BIGINT PRIMARY KEY,
    body {{blob}} NOT NULL
);

CREATE TABLE customers (
    id              TEXT PRIMARY KEY,
    organization_id TEXT   NOT NULL,
    external_id     TEXT   NOT NULL,
    email           TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    deleted_at      BIGINT NOT NULL,
    body            TEXT   NOT NULL,
    ver_at          BIGINT NOT NULL,
    ver_sent        BIGINT NOT NULL
);
CREATE INDEX customers_deleted ON customers (id) WHERE deleted_at > 0;
CREATE INDEX customers_external ON customers (external_id) WHERE external_id <> '';

CREATE TABLE members (
    id          TEXT PRIMARY KEY,
    customer_id TEXT   NOT NULL,
    deleted_at  BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    ver_at      BIGINT NOT NULL,
    ver_sent    BIGINT NOT NULL
);

CREATE TABLE seats (
    id              TEXT   NOT NULL,
    member_id       TEXT   NOT NULL,        -- '': what was said without naming one
    subscription_id TEXT   NOT NULL,
    order_id        TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    revoked_at      BIGINT NOT NULL,
    ver_at          BIGINT NOT NULL,
    ver_sent        BIGINT NOT NULL,
    PRIMARY KEY (id, member_id)
);
CREATE INDEX seats_member ON seats (member_id);

CREATE TABLE benefits (
    id              TEXT PRIMARY KEY,
    organization_id TEXT   NOT NULL,
    type            TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    properties      TEXT   NOT NULL,
    metadata        TEXT   NOT NULL,
    deleted_at      BIGINT NOT NULL,
    body            TEXT   NOT NULL,
    route           TEXT   NOT NULL,        -- grant.Route: what is to be done for it
    spec_version    BIGINT NOT NULL,        -- counts changes of route
    spread_after    BIGINT,                 -- its grants past this seq are yet to hear of a change
    ver_at          BIGINT NOT NULL,
    ver_sent        BIGINT NOT NULL
);
CREATE INDEX benefits_spreading ON benefits (id) WHERE spread_after IS NOT NULL;

CREATE TABLE products (
    id       TEXT PRIMARY KEY,
    body     TEXT   NOT NULL,
    ver_at   BIGINT NOT NULL,
    ver_sent BIGINT NOT NULL
);
CREATE TABLE product_benefits (
    product_id TEXT NOT NULL,
    benefit_id TEXT NOT NULL,
    PRIMARY KEY (product_id, benefit_id)
);

CREATE TABLE subscriptions (
    id             TEXT PRIMARY KEY,
    customer_id    TEXT   NOT NULL,
    product_id     TEXT   NOT NULL,
    status         TEXT   NOT NULL,
    past_due_at    BIGINT NOT NULL,
    canceled_at    BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL,
    paused_at      BIGINT NOT NULL,
    standings      TEXT   NOT NULL,         -- grant.Standings: how it stood of late
    recovered_at   BIGINT NOT NULL,         -- what they come to: a failed payment was made good,
    recovered_from BIGINT NOT NULL,         -- which had been past due since
    fields         TEXT   NOT NULL,
    ver_at         BIGINT NOT NULL,
    ver_sent       BIGINT NOT NULL
);

CREATE TABLE orders (
    id              TEXT PRIMARY KEY,
    customer_id     TEXT   NOT NULL,
    product_id      TEXT   NOT NULL,
    subscription_id TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    total           BIGINT NOT NULL,
    fields          TEXT   NOT NULL,
    ver_at          BIGINT NOT NULL,
    ver_sent        BIGINT NOT NULL
);
CREATE INDEX orders_subscription ON orders (subscription_id) WHERE subscription_id <> '';

CREATE TABLE refunds (
    id              TEXT PRIMARY KEY,
    order_id        TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    amount          BIGINT NOT NULL,
    revoke_benefits BIGINT NOT NULL,
    ver_at          BIGINT NOT NULL,
    ver_sent        BIGINT NOT NULL
);
CREATE INDEX refunds_order ON refunds (order_id);

-- Indexes on random ids cost a page of the log for each row, so there are few:
-- a member's grants are found by the customer.
CREATE TABLE grants (
    seq              {{serial}},
    id               TEXT   NOT NULL UNIQUE,
    benefit_id       TEXT   NOT NULL,
    customer_id      TEXT   NOT NULL,
    member_id        TEXT   NOT NULL,
    subscription_id  TEXT   NOT NULL,
    order_id         TEXT   NOT NULL,
    source           TEXT   NOT NULL,
    created_at       BIGINT NOT NULL,
    modified_at      BIGINT NOT NULL,
    granted_at       BIGINT NOT NULL,
    revoked_at       BIGINT NOT NULL,
    first_granted_at BIGINT NOT NULL,
    error            TEXT   NOT NULL,
    properties       TEXT   NOT NULL,
    previous         TEXT   NOT NULL,
    word             TEXT   NOT NULL,       -- what the three clocks below come to
    none_at          BIGINT NOT NULL,
    none_sent        BIGINT NOT NULL,
    grant_at         BIGINT NOT NULL,
    grant_sent       BIGINT NOT NULL,
    revoke_at        BIGINT NOT NULL,
    revoke_sent      BIGINT NOT NULL,
    override         TEXT   NOT NULL DEFAULT '',
    override_until   BIGINT NOT NULL DEFAULT 0,
    ver_at           BIGINT NOT NULL,
    ver_sent         BIGINT NOT NULL
);
CREATE INDEX grants_benefit ON grants (benefit_id, seq);
CREATE INDEX grants_customer ON grants (customer_id);
CREATE INDEX grants_scope ON grants ((subscription_id || order_id));
CREATE INDEX grants_created ON grants (created_at, id);

CREATE TABLE fulfilments (
    id                  TEXT {{bytewise}} PRIMARY KEY, -- <grant id>.<kind>: a grant's are a range
    grant_id            TEXT   NOT NULL,
    kind                TEXT   NOT NULL,
    generation          BIGINT NOT NULL,    -- counts changes of what is owed
    observed_generation BIGINT NOT NULL,    -- the last one seen through to the end
    state               TEXT   NOT NULL,
    wanted              TEXT   NOT NULL,    -- what the generation stands for
    because             TEXT   NOT NULL,    -- why it is owed so
    applied             TEXT   NOT NULL,
    properties          TEXT   NOT NULL,
    attempts            BIGINT NOT NULL,    -- failed ones in a row
    since               BIGINT NOT NULL,    -- the first of them
    due_at              BIGINT NOT NULL,    -- 0: nothing to do
    starts              BIGINT NOT NULL,    -- leases taken
    lease_token         TEXT   NOT NULL,
    lease_until         BIGINT NOT NULL,
    error_class         TEXT   NOT NULL,
    error_code          TEXT   NOT NULL,
    error_text          TEXT   NOT NULL,
    asked               BIGINT NOT NULL DEFAULT 0, -- the operator wants it tried again
    event_at            BIGINT NOT NULL,    -- when the shop caused the generation
    done_at             BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL
);
CREATE INDEX fulfilments_due ON fulfilments (kind, due_at) WHERE due_at > 0;
CREATE INDEX fulfilments_revoking ON fulfilments (kind, due_at) WHERE due_at > 0 AND state = 'revoking';
CREATE INDEX fulfilments_held ON fulfilments (error_code) WHERE error_class IN ('throttled', 'transient') AND error_code NOT IN ('throttled', 'approval') AND due_at > 0;
CREATE INDEX fulfilments_failed ON fulfilments (id) WHERE state = 'failed';

CREATE TABLE cycles (
    grant_id    TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    cycle_key   TEXT   NOT NULL,
    recorded_at BIGINT NOT NULL,
    done_at     BIGINT NOT NULL,
    PRIMARY KEY (grant_id, kind, cycle_key)
);

CREATE TABLE attempts (
    id            {{serial}},
    fulfilment_id TEXT   NOT NULL,
    action        TEXT   NOT NULL,
    class         TEXT   NOT NULL,
    code          TEXT   NOT NULL,
    detail        TEXT   NOT NULL,
    took          BIGINT NOT NULL,          -- microseconds, of the last one
    count         BIGINT NOT NULL,          -- equal outcomes in a row
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL
);
CREATE INDEX attempts_fulfilment ON attempts (fulfilment_id, id);

CREATE TABLE license_keys (
    id                         TEXT PRIMARY KEY,
    fulfilment_id              TEXT   NOT NULL,   -- the id is made from it
    benefit_id                 TEXT   NOT NULL,
    customer_id                TEXT   NOT NULL,
    organization_id            TEXT   NOT NULL,
    key                        TEXT   NOT NULL,
    key_sha256                 {{blob}} NOT NULL UNIQUE,
    display_key                TEXT   NOT NULL,
    active                     BIGINT NOT NULL,
    limit_activations          BIGINT,      -- NULL: none
    limit_usage                BIGINT,
    expires_at                 BIGINT NOT NULL,
    usage                      BIGINT NOT NULL,
    validations                BIGINT NOT NULL,
    last_validated_at          BIGINT NOT NULL,
    created_at                 BIGINT NOT NULL,
    modified_at                BIGINT NOT NULL,
    -- The merchant's own word, which no grant lifts: '' or NULL where he said
    -- nothing, -1 where he said "no limit".
    merchant_status            TEXT   NOT NULL DEFAULT '',
    merchant_limit_activations BIGINT,
    merchant_limit_usage       BIGINT,
    merchant_expires_at        BIGINT
);
CREATE INDEX license_keys_benefit ON license_keys (benefit_id);
CREATE INDEX license_keys_created ON license_keys (created_at, id);

-- One row, rewritten to find out whether a commit goes through.
CREATE TABLE probe (at BIGINT NOT NULL);
INSERT INTO probe (at) VALUES (0);
