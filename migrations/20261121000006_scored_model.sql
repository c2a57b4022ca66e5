-- The versions under which leads are scored, each with a row in `score` for every lead: the live one; one whose
-- publishing or shadow is being prepared; those in shadow; and the one before, kept for a rollback. A version that is
-- not here has no states.
create table scored_model (
    model_id uuid not null,
    purpose text not null, -- what it is scored for: to go live, or to run in shadow
    offers boolean not null default false, -- whether sales is offered the MQLs that going live makes
    started_at timestamptz not null,
    leads bigint not null, -- how many there were when it began: all later ones are born with a state
    rebuilt bigint not null default 0, -- how many of them have been seen to
    rebuilt_to uuid, -- the last of them, in the order of ids
    rebuilt_at timestamptz, -- when all had been
    runner uuid, -- the instance that is at work on it
    runner_until timestamptz, -- and until when the others leave it alone
    runner_since timestamptz, -- since when it has been at work, and how far things were then
    runner_from bigint,
    live_since timestamptz, -- of the live one: since when
    settled bigint not null default 0, -- how many leads' stages have been looked at again since then
    settled_to uuid, -- the last of them
    settled_at timestamptz, -- when all had been
    kept_until timestamptz, -- of the one before: until when a rollback is possible
    dropped_at timestamptz, -- no longer scored; its states are being deleted
    constraint scored_model_pkey primary key (model_id),
    constraint scored_model_model_fkey foreign key (model_id) references scoring_model (id),
    constraint scored_model_purpose_known check (purpose in ('publish', 'shadow')),
    constraint scored_model_runner_has_a_term check ((runner is null) = (runner_until is null)),
    constraint scored_model_live_is_rebuilt check (live_since is null or rebuilt_at is not null),
    constraint scored_model_live_is_not_dropped check (live_since is null or dropped_at is null)
);

create unique index scored_model_one_live on scored_model ((true)) where live_since is not null;
create unique index scored_model_one_preparing on scored_model ((true))
    where purpose = 'publish' and rebuilt_at is null and dropped_at is null;
create unique index scored_model_one_kept on scored_model ((true)) where kept_until is not null and dropped_at is null;

insert into scored_model (model_id, purpose, started_at, leads, rebuilt_at, live_since, settled_at)
select id, 'publish', published_at, 0, published_at, published_at, published_at
from scoring_model where state = 'published';

-- A newly published model moves leads too. Who became an MQL by that alone is not offered to sales.
alter table lead drop constraint lead_mql_by_known;
alter table lead add constraint lead_mql_by_known check (mql_by in ('threshold', 'hand_raise', 'model_change'));
-- Whether it was a newly published model that brought the score below `leave`.
alter table lead add column below_by_model boolean not null default false;
alter table lead add constraint lead_below_by_model_only_while_below
    check (not below_by_model or below_since is not null);
alter table transition drop constraint transition_cause_known;
alter table transition add constraint transition_cause_known check (cause in (
    'identified', 'threshold', 'hand_raise', 'score_fell', 'merge', 'model_change'
));
