-- The third version of the semantics: types of events compare in one form. States of older semantics are to be replayed.
drop index score_outdated;
create index score_outdated on score (lead_id) where semantics < 3;
