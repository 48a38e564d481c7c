// A single-page application: people sign in with MSAL.js, and it calls the API with their token.

// docs: configuration
const clientId = "<client ID of the single-page application>";
const authority = "https://login.microsoftonline.com/<tenant ID>";
const scopes = ["api://<client ID of the API>/access_as_user"];
const api = "https://orders.example.com";
// docs: end

// docs: sign in
const application = new msal.PublicClientApplication({
  auth: {
    clientId,
    authority,
    // Entra's own host is known anyway. The local Entra's has to be named.
    knownAuthorities: [new URL(authority).host],
    redirectUri: `${location.origin}/`,
  },
});
await application.initialize();
await application.handleRedirectPromise();

const account = () => application.getAllAccounts()[0] ?? null;
const signIn = () => application.loginRedirect({ scopes });
const signOut = () => application.logoutRedirect({ account: account() });
// docs: end

// docs: token
async function accessToken() {
  const cacheLookupPolicy = msal.CacheLookupPolicy.AccessTokenAndRefreshToken;
  const request = { scopes, account: account(), cacheLookupPolicy };
  try {
    return (await application.acquireTokenSilent(request)).accessToken;
  } catch (error) {
    if (!(error instanceof msal.InteractionRequiredAuthError)) throw error;
    return application.acquireTokenRedirect({ scopes }); // leaves the page
  }
}
// docs: end

// docs: call
async function call(path, options = {}) {
  const Authorization = `Bearer ${await accessToken()}`;
  const headers = { ...options.headers, Authorization };
  const answer = await fetch(api + path, { ...options, headers });
  const challenge = answer.headers.get("WWW-Authenticate") ?? "";
  const claims = /claims="([^"]+)"/.exec(challenge)?.[1];
  if (answer.status === 401 && claims) {
    // The service wants a stronger sign-in first.
    await application.acquireTokenRedirect({ scopes, claims: atob(claims) });
  }
  return { status: answer.status, body: await answer.json() };
}
// docs: end

const show = (value) => {
  document.getElementById("shown").textContent = JSON.stringify(value);
};
const actions = {
  "sign-in": signIn,
  "sign-out": signOut,
  me: async () => show(await call("/me")),
  cancel: async () => show(await call("/orders/1", { method: "DELETE" })),
};
for (const [id, action] of Object.entries(actions)) {
  const press = () => action().catch((error) => show(`${error}`));
  document.getElementById(id).addEventListener("click", press);
}
show({ account: account()?.username ?? null });
