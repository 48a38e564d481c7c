// Calls one method of MSAL Node's confidential client: JSON comes in, JSON goes out.

import { ConfidentialClientApplication } from "@azure/msal-node";
import { text } from "node:stream/consumers";

const { auth, method, request } = JSON.parse(await text(process.stdin));
let outcome;
try {
  outcome = { result: await new ConfidentialClientApplication({ auth })[method](request) };
} catch (error) {
  outcome = { error: error.errorCode ?? error.name, message: error.errorMessage ?? error.message };
}
console.log(JSON.stringify(outcome));
