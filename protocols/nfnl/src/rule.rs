//! Rules.

use crate::attr::{ParseError, attributes};
use crate::expr::Expr;
use crate::message::{Kind, Message};
use crate::wire::Writer;

/// At most this many expressions of a rule are looked at (`NFT_RULE_MAXEXPRS`).
const MAX_EXPRESSIONS: usize = 128;

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The table it is in.
    pub table: String,
    /// The chain it is in.
    pub chain: String,
    /// Its steps.
    pub expressions: Vec<Expr>,
}

impl Rule {
    /// From a message about it.
    pub fn decode(message: &Message<'_>) -> Result<Self, ParseError> {
        let mut rule = Self::default();
        for attr in attributes(message.body(&[Kind::NewRule, Kind::DeleteRule])?) {
            let attr = attr?;
            match attr.kind {
                1 => attr.name()?.clone_into(&mut rule.table),
                2 => attr.name()?.clone_into(&mut rule.chain),
                4 => {
                    for expr in attr.nested().take(MAX_EXPRESSIONS) {
                        rule.expressions.push(Expr::decode(expr?)?);
                    }
                }
                _ => (),
            }
        }
        Ok(rule)
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.name(1, &self.table);
        w.name(2, &self.chain);
        w.nest(4, |w| self.expressions.iter().for_each(|expr| expr.encode(w)));
    }
}
