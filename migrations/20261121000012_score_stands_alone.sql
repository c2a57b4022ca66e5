-- A score is a cache, written with every event and, when a model is published, for every lead at once; as with the log,
-- the writer answers for its keys. Each foreign key took two look-ups and two row locks a row, one of them on the one
-- row of the model.
alter table score drop constraint score_lead_fkey;
alter table score drop constraint score_model_fkey;
