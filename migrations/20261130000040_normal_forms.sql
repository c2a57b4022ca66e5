-- How far identities have come to be in their normal form; one row. Which form that is is the code's: a later one counts up
-- and begins again.
create table identity_form (
    only_one boolean not null default true,
    version integer not null default 0, -- the form that every identity has
    reached uuid, -- the last identity that the pass under way has looked at, in the order of ids
    first_at timestamptz, -- when every identity had the form for the first time
    last_at timestamptz, -- when the last pass ended
    constraint identity_form_pkey primary key (only_one),
    constraint identity_form_one_row check (only_one),
    constraint identity_form_version_counts_up check (version >= 0)
);

insert into identity_form default values;

-- Ids under which identities were known before they got their normal form: links in mails that are out carry them. No foreign
-- key: of somebody who was erased it is still to be known whose refusal a link brings, and an id is a hash.
create table former_identity (
    id uuid not null,
    identity_id uuid not null,
    constraint former_identity_pkey primary key (id)
);

create index former_identity_of on former_identity (identity_id);
