-- Under which version of the semantics a state was made: the first byte of its tally, whoever wrote it. The rows get a new
-- form, so the table is written anew and nobody else reads or writes it meanwhile.
alter table score add column semantics smallint not null
    generated always as (case when length(tally) > 0 then get_byte(tally, 0) else 0 end) stored;

-- The states of older semantics, which are to be replayed. Each version of the semantics brings an index of its own.
create index score_outdated on score (lead_id) where semantics < 2;
