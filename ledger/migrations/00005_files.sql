-- Files to download, and the keys that links are signed with. See 00001 for what
-- all tables have in common.

-- +goose Up
CREATE TABLE signing_keys (
    id         TEXT PRIMARY KEY,
    purpose    TEXT   NOT NULL,         -- a key is good for one alone
    secret     {{blob}} NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT NOT NULL          -- 0: it signs
);
CREATE INDEX signing_keys_purpose ON signing_keys (purpose, created_at);

-- A file can be seen once uploaded_at is set. A deleted one keeps its row, so that
-- nobody waits for it.
CREATE TABLE files (
    id              TEXT PRIMARY KEY,
    organization_id TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    version         TEXT   NOT NULL,
    mime_type       TEXT   NOT NULL,
    size            BIGINT NOT NULL,
    sha256          TEXT   NOT NULL,    -- in hex; what was announced, until the bytes are here
    upload          TEXT   NOT NULL,    -- the announcement that counts; '': none does
    blob            TEXT   NOT NULL,    -- where its bytes are in the store; '': not here yet
    created_at      BIGINT NOT NULL,
    uploaded_at     BIGINT NOT NULL,
    modified_at     BIGINT NOT NULL,
    deleted_at      BIGINT NOT NULL,
    spread_after    TEXT                -- fulfilments past this one are yet to hear of a change
);
CREATE INDEX files_spreading ON files (id) WHERE spread_after IS NOT NULL;
CREATE INDEX files_created ON files (created_at, id);
CREATE INDEX files_unfinished ON files (created_at) WHERE uploaded_at = 0 AND upload <> '';

-- What the store may hold beyond the files: what is being written, and what is to go.
CREATE TABLE loose_blobs (
    blob      TEXT   PRIMARY KEY,
    remove_at BIGINT NOT NULL
);
CREATE INDEX loose_blobs_remove ON loose_blobs (remove_at);

-- What a fulfilment lets its customer download, whether or not the file is here.
CREATE TABLE downloadables (
    fulfilment_id TEXT {{bytewise}} NOT NULL,
    file_id       TEXT   NOT NULL,
    place         BIGINT NOT NULL,      -- in the benefit's order
    active        BIGINT NOT NULL,
    max_downloads BIGINT,               -- NULL: as the kind's config says
    downloads     BIGINT NOT NULL,
    counted_at    BIGINT NOT NULL,      -- when the last of them began
    PRIMARY KEY (fulfilment_id, file_id)
);
CREATE INDEX downloadables_file ON downloadables (file_id, fulfilment_id) WHERE active = 1;
CREATE INDEX fulfilments_fileless ON fulfilments (id) WHERE error_code = 'file_missing';
