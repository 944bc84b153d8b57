-- Signed heads of chains: kept apart from the chains of tenants, so that whoever can rewrite a
-- shard cannot make this agree. One for each day on which a chain grew, its newest: a head covers
-- every link before it, and a year of them is 365 rows. The global log's own chain has the nil id.
CREATE TABLE docshard.audit_heads (
    client_id  uuid        NOT NULL,
    signed_on  date        NOT NULL,
    seq        bigint      NOT NULL,
    chain_hash bytea       NOT NULL,
    signed_at  timestamptz NOT NULL,
    kid        uuid        NOT NULL,
    signature  bytea       NOT NULL,
    CONSTRAINT pk_audit_heads PRIMARY KEY (client_id, signed_on),
    CONSTRAINT ck_audit_heads_seq CHECK (seq > 0),
    CONSTRAINT ck_audit_heads_chain_hash CHECK (octet_length(chain_hash) = 32),
    CONSTRAINT ck_audit_heads_signature CHECK (octet_length(signature) = 64)
);

-- A day's head moves forward only.
CREATE FUNCTION docshard.refuse_older_head() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a signed head only moves forward' USING ERRCODE = 'DS006';
END $$;
CREATE TRIGGER refuse_older_head BEFORE UPDATE ON docshard.audit_heads FOR EACH ROW
    WHEN (NEW.seq <= OLD.seq OR NEW.client_id <> OLD.client_id OR NEW.signed_on <> OLD.signed_on)
    EXECUTE FUNCTION docshard.refuse_older_head();

GRANT SELECT ON docshard.audit_heads TO docshard_app;
GRANT SELECT, INSERT, UPDATE ON docshard.audit_heads TO docshard_worker;
-- After an upgrade a worker may be the first to need a key of a new purpose.
GRANT INSERT ON docshard.data_keys TO docshard_worker;
