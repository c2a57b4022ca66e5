-- Scoring models as documents. A published version never changes; one is live at a time.
create table scoring_model (
    id uuid not null,
    name text not null,
    version integer not null, -- counts up per name
    state text not null,
    document jsonb not null,
    created_at timestamptz not null,
    published_at timestamptz,
    constraint scoring_model_pkey primary key (id),
    constraint scoring_model_name_version_key unique (name, version),
    constraint scoring_model_version_positive check (version > 0),
    constraint scoring_model_state_known check (state in ('draft', 'published', 'retired')),
    constraint scoring_model_published_is_dated check (state = 'draft' or published_at is not null)
);

create unique index scoring_model_one_live on scoring_model (state) where state = 'published';
