-- What whoever sends with a key signs each request by; null: the key alone is enough. Kept readable, for a signature is computed
-- from it, and forgotten when the key is revoked.
alter table api_key add column signing_secret text,
    add constraint api_key_signing_key_only_sends check (signing_secret is null or prefix = 'wk_'),
    add constraint api_key_revoked_key_has_no_secret check (signing_secret is null or revoked_at is null);
