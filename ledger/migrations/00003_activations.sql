-- Where license keys are used. See 00001 for what all tables have in common.

-- +goose Up
CREATE TABLE activations (
    license_key_id TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    label          TEXT   NOT NULL,
    conditions     TEXT   NOT NULL,         -- in one spelling, so that text compares; '' for none
    meta           TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (license_key_id, id)        -- a key's are a range: they are counted and looked up by it
);
