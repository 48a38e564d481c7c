import { app, authentication } from "@microsoft/teams-js";

await app.initialize();
const token = await authentication.getAuthToken();
const answer = await fetch("/api/orders", { headers: { Authorization: `Bearer ${token}` } });
