//! Accounts: users, signing up, verifying and changing an email address, editing the profile, deleting an account,
//! and managing them.

mod change_email;
mod deletion;
mod email;
mod export;
mod invite;
mod manage;
mod name;
mod newcomer;
mod not_me;
mod profile;
mod signup;
mod undo_email;
mod user;
mod verify_email;

pub(crate) use change_email::{ChangeEmailError, ConfirmEmailError};
pub(crate) use deletion::{CannotRestore, Deletion, DeletionError, LONGEST_GRACE};
pub use email::{Email, EmailError};
pub(crate) use export::Export;
pub(in crate::auth) use export::{FormerEmailExport, LinkExport, MessageExport};
pub use invite::{Invitation, InviteError};
pub use manage::{CreateError, DeleteError, NewAccount, SessionInfo};
pub use name::{Name, NameError};
pub(in crate::auth) use newcomer::PendingSignUp;
pub(crate) use newcomer::{JoinError, Joined};
pub(crate) use not_me::CannotReport;
pub(crate) use signup::{SignUp, SignUpBy, SignUpError, SignedUp};
pub(crate) use undo_email::CannotUndo;
pub use user::{User, UserId, UserIdError};
pub(crate) use verify_email::{VerificationRequest, VerifyEmailError};

/// Whitespace of every kind, control characters and invisible marks (Unicode's `Default_Ignorable_Code_Point`, and what
/// stands for an object or for nothing in a text), which pasted text often contains.
pub(crate) fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{2800}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
