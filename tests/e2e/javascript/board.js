// A single-page application with a button for each thing that MSAL.js can do.

const { clientId, authority, scope, api } = await (await fetch("/configuration.json")).json();
const scopes = [scope];

// Popups and hidden frames come back to a page that hands the answer over and does nothing else.
const redirectUri = `${location.origin}/bridge`;

const application = new msal.PublicClientApplication({
  auth: {
    clientId,
    authority,
    knownAuthorities: [new URL(authority).host], // or else the host is looked up at Microsoft
    redirectUri: `${location.origin}/board`,
    postLogoutRedirectUri: `${location.origin}/board`,
  },
});

const outcome = document.getElementById("outcome");
const show = (value) => {
  outcome.textContent = JSON.stringify(value);
};
const account = () => application.getAllAccounts()[0] ?? null;
const showAccount = () => {
  document.getElementById("account").textContent = account()?.username ?? "Nobody is signed in.";
};

const signedIn = ({ account, scopes, idTokenClaims }) => ({ username: account.username, scopes, idTokenClaims });

const call = async () => {
  const { accessToken, fromCache } = await application.acquireTokenSilent({
    scopes,
    account: account(),
    redirectUri,
  });
  const answer = await fetch(api, { headers: { Authorization: `Bearer ${accessToken}` } });
  return { fromCache, status: answer.status, body: await answer.json() };
};

const actions = {
  "sign-in": () => application.loginRedirect({ scopes }),
  "sign-in-in-a-popup": async () => signedIn(await application.loginPopup({ scopes, redirectUri })),
  "sign-in-silently": async () => signedIn(await application.ssoSilent({ scopes, redirectUri })),
  call,
  "sign-out": () => application.logoutRedirect({ account: account() }),
};

const attempt = async (action) => {
  outcome.textContent = "";
  try {
    const value = await action();
    if (value) show(value);
  } catch (error) {
    show({ error: error.errorCode ?? error.name, message: error.errorMessage ?? error.message });
  }
  showAccount();
};

for (const [id, action] of Object.entries(actions)) {
  document.getElementById(id).addEventListener("click", () => attempt(action));
}

await application.initialize();
await attempt(async () => {
  const answer = await application.handleRedirectPromise();
  return answer ? signedIn(answer) : { username: account()?.username ?? null };
});
