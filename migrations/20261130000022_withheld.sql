-- Since when contact is withheld because a lead was merged with one that was not to be contacted; a hand raised later ends it.
alter table lead add column withheld_at timestamptz;
