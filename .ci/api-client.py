"""A program's whole way, with the client that openapi-python-client has generated from the document."""
import sys
from http import HTTPStatus

from vestibule_client import Client
from vestibule_client.api.accounts import change_profile, sign_up
from vestibule_client.api.session import get_session, sign_in, sign_out
from vestibule_client.models import Done, Problem, ProfileFields, SignInForm, SignUpForm, WhoAmI

EMAIL, PASSWORD = "grace@example.com", "seven purple lanterns"

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)

weak = sign_up.sync(client=client, body=SignUpForm(email=EMAIL, password="password1"))
assert isinstance(weak, Problem) and weak.type_ == "urn:vestibule:problem:weak-password", weak
assert "password" in weak.errors, weak
new = sign_up.sync(client=client, body=SignUpForm(email=EMAIL, password=PASSWORD))
assert isinstance(new, Done) and new.email == EMAIL, new

signed_out = get_session.sync(client=client)
assert isinstance(signed_out, Problem) and signed_out.type_ == "urn:vestibule:problem:not-signed-in", signed_out
answer = sign_in.sync_detailed(client=client, body=SignInForm(email=EMAIL, password=PASSWORD))
assert answer.status_code == HTTPStatus.OK, answer

for name in ["Grace Hopper", None]:
    changed = change_profile.sync(client=client, body=ProfileFields(name=name))
    assert changed.user.name == name, changed
    who = get_session.sync(client=client)
    assert isinstance(who, WhoAmI) and who.user.name == name and not who.user.email_verified, who
    assert who.session.expires_at > who.session.created_at, who

assert sign_out.sync_detailed(client=client).status_code == HTTPStatus.OK
assert isinstance(get_session.sync(client=client), Problem)
print("the generated client signed up, signed in, changed the name and signed out")
