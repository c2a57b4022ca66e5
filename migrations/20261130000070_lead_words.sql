-- The words by which a lead is found: a cache of its attributes and identities. Each word also stands here with its first
-- letter and its first two letters, so that a short beginning is one entry of the index and not thousands.
create table lead_words (
    lead_id uuid not null,
    words tsvector not null,
    constraint lead_words_pkey primary key (lead_id),
    constraint lead_words_lead_fkey foreign key (lead_id) references lead (id)
);

-- What waits to be put in its place in the index is read by every search: it is kept small.
create index lead_words_words on lead_words using gin (words) with (gin_pending_list_limit = 256);

-- By which version of the rules the words of all leads were made: one row. The sweep `make_words` makes them anew, in the
-- order of the leads' ids, when the rules of the code are newer.
create table lead_words_made (
    only_one boolean not null default true,
    version integer not null default 0,
    last uuid, -- the last lead whose words were made by newer rules; null: none, or all
    constraint lead_words_made_pkey primary key (only_one),
    constraint lead_words_made_one_row check (only_one)
);

insert into lead_words_made default values;
