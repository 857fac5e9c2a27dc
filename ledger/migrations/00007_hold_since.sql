-- +goose Up
-- The fulfilment's generation in which it came to hold the resource, or last began
-- to let it go.
ALTER TABLE holds ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
