//! The frameworks by which sales qualifies leads, with questions to ask.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A framework: a list of four criteria by which sales qualifies a lead.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Framework {
    /// Budget, authority, need, timing: for products whose price must be in somebody's budget.
    Bant,
    /// Challenges, authority, money, prioritization: begins with the problem instead of the budget.
    Champ,
    /// Authority, need, urgency, money: begins with whether this is the person to talk to.
    Anum,
}

/// One thing that sales finds out about a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Criterion {
    /// The name of the criterion.
    pub criterion: &'static str,
    /// When the criterion holds, so that the answer is `yes`.
    pub holds_when: &'static str,
    /// Questions that lead to an answer.
    pub questions: &'static [&'static str],
}

const BUDGET: Criterion = Criterion {
    criterion: "budget",
    holds_when: "Money for this is set aside, or the person who can set it aside has agreed.",
    questions: &[
        "What does the problem cost you today, in money or in hours?",
        "Is money set aside for solving it, or where would it come from?",
        "What have you spent on this so far, and what came of it?",
        "What would it have to bring in for you to call the price fair?",
    ],
};

const AUTHORITY: Criterion = Criterion {
    criterion: "authority",
    holds_when: "We talk to the person who decides, or we know that person and have been introduced.",
    questions: &[
        "Who besides you has to agree before something like this is bought?",
        "How was the last purchase of this size decided, step by step?",
        "Who could stop it, and what would that person want to know first?",
        "Who will work with it every day, and have they been asked?",
    ],
};

const NEED: Criterion = Criterion {
    criterion: "need",
    holds_when: "The person has named, in their own words, a problem that we solve.",
    questions: &[
        "What made you look at us now, and not half a year ago?",
        "What happens if you leave everything as it is?",
        "What have you tried already, and where did it fall short?",
        "How would you know after three months that it was worth it?",
    ],
};

const TIMING: Criterion = Criterion {
    criterion: "timing",
    holds_when: "There is a date by which it must work, and a reason for that date.",
    questions: &[
        "By when should it be running, and what depends on that date?",
        "What has to happen on your side before you can begin?",
        "What else competes for the same people in these months?",
        "If we agreed today, what would be your next step, and on which day?",
    ],
};

const CHALLENGES: Criterion = Criterion {
    criterion: "challenges",
    holds_when: "The person has named a problem, whom it hurts, and since when.",
    questions: &[
        "Which part of your work takes longer, or goes wrong more often, than it should?",
        "Whom does that hurt most, and how do they get by today?",
        "What have you tried already, and where did it fall short?",
        "If one thing were different in three months, what should it be?",
    ],
};

const PRIORITIZATION: Criterion = Criterion {
    criterion: "prioritization",
    holds_when: "It is among the few things that they want done this quarter or the next.",
    questions: &[
        "Where does this stand among the things that you want done this quarter?",
        "What would have to give way for it?",
        "Who is asking you for it, and how often?",
        "By when would you regret not having started?",
    ],
};

const MONEY: Criterion = Criterion { criterion: "money", ..BUDGET };
const URGENCY: Criterion = Criterion { criterion: "urgency", ..TIMING };

impl Framework {
    /// The name of the framework, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The criteria of the framework, in the order in which to ask about them.
    pub fn criteria(self) -> &'static [Criterion; 4] {
        match self {
            Framework::Bant => &[BUDGET, AUTHORITY, NEED, TIMING],
            Framework::Champ => &[CHALLENGES, AUTHORITY, MONEY, PRIORITIZATION],
            Framework::Anum => &[AUTHORITY, NEED, URGENCY, MONEY],
        }
    }
}
