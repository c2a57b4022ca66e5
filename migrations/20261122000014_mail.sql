-- What signs the links of mails. Those before the newest are kept, so that the links of mails that are out still work.
create table link_secret (
    number integer not null, -- stands in each token
    secret bytea not null,
    created_at timestamptz not null,
    ended_at timestamptz, -- since when the tokens that it signed are not believed any more
    constraint link_secret_pkey primary key (number),
    constraint link_secret_number_fits_a_token check (number between 1 and 65535),
    constraint link_secret_length check (length(secret) = 32)
);

-- An e-mail provider that tells what has become of mails.
create table mail_source (
    id uuid not null,
    provider text not null,
    name text not null, -- what a person calls it
    token_hash bytea not null, -- SHA-256 of the token in the address to which it sends
    verification jsonb not null, -- by what is told that it is the provider that sends; holds secrets
    created_at timestamptz not null,
    deleted_at timestamptz,
    constraint mail_source_pkey primary key (id),
    constraint mail_source_token_hash_key unique (token_hash),
    constraint mail_source_provider_known
        check (provider in ('sendgrid', 'mailgun', 'postmark', 'ses', 'resend', 'brevo'))
);
