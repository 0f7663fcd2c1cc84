//! Notices about what was just done, shown once at the top of the next page.

pub(crate) const SIGNED_OUT: &str = "You are signed out.";
pub(crate) const ACCOUNT_READY: &str = "Your account is ready. To confirm your email address, open the link in the email that we are sending you.";
pub(crate) const ACCOUNT_CREATED: &str = "Your account is ready.";
pub(crate) const DRAFT_KEPT: &str = "Nothing was saved yet: this step comes first. What you typed is kept. You can go on \
     with it afterwards.";
pub(crate) const NAME_SAVED: &str = "Your name is saved.";
pub(crate) const MESSAGE_SENT: &str = "We have sent you an email with a link. It can take a few minutes to arrive. Check your spam folder too.";
pub(crate) const MESSAGE_WAITS: &str = "Your email is about to be sent. When many people sign up from the same \
     network, we send their emails one after the other. It can take up to an hour.";
pub(crate) const TOO_MANY_MESSAGES: &str =
    "No email was sent: too many were asked for from your network. Try again in an hour.";
pub(crate) const ENOUGH_MESSAGES: &str = "No email was sent: you have several emails whose links still work. \
     Check your spam folder. You can ask for another link tomorrow.";
pub(crate) const EMAIL_VERIFIED: &str = "Your email address is confirmed.";
pub(crate) const PASSWORD_CHANGED: &str =
    "Your new password is set, and every other device is signed out.";
pub(crate) const PASSWORD_SET: &str = "Your password is set. Sign in with it now.";
pub(crate) const PASSWORD_RESET: &str =
    "Your new password is set, and every device is signed out. Sign in with it now.";
pub(crate) const LINK_SENT: &str =
    "We have sent a link to the new address. Open it to confirm the address.";
pub(crate) const EMAIL_CHANGE_CANCELLED: &str = "Your email address stays as it is.";
pub(crate) const EMAIL_CHANGED: &str = "Your email address is changed.";
pub(crate) const DEVICE_SIGNED_OUT: &str = "The device is signed out.";
pub(crate) const DEVICE_NOT_THERE: &str = "That device was signed out already, or has signed in again since. Here is where \
     you are signed in now.";
pub(crate) const EMAIL_UNDONE: &str =
    "Your email address is put back. To choose a new password, have a link sent to you.";
pub(crate) const OTHERS_SIGNED_OUT: &str = "Every other device is signed out.";
pub(crate) const ACCOUNT_RESTORED: &str = "Your account is restored. You can sign in again.";
