-- Keys. Only the SHA-256 of a key is kept; prefix and last four characters let a person tell keys apart.
create table api_key (
    id uuid not null,
    name text not null,
    hash bytea not null,
    prefix text not null,
    last_four text not null,
    scopes text[] not null,
    origins text[] not null default '{}', -- web origins that may use a write key; none named: any
    environment boolean not null default false, -- given by the operator's settings, replaced when they change
    created_at timestamptz not null,
    revoked_at timestamptz,
    constraint api_key_pkey primary key (id),
    constraint api_key_hash_key unique (hash),
    constraint api_key_prefix_known check (prefix in ('wk_', 'sk_')),
    constraint api_key_scopes_known check (scopes <@ array['ingest', 'read', 'read_write', 'admin']),
    constraint api_key_write_key_only_ingests check (prefix = 'sk_' or scopes = array['ingest'])
);
