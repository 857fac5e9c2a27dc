-- +goose Up
-- Of a grant: when the life before it ended. Of a revocation: when this one did.
ALTER TABLE credit_entries ADD COLUMN ended_at BIGINT NOT NULL DEFAULT 0;
UPDATE credit_entries SET ended_at = coalesce((SELECT g.revoke_at FROM fulfilments f JOIN grants g ON g.id = f.grant_id
    WHERE f.id = credit_entries.fulfilment_id), 0)
    WHERE kind IN ('grant', 'revoke') AND fulfilment_id <> '';
