// Drives octokit's ways to get a user's token; prints what it saw as JSON, in its last line.
// Every line before is something that a person does: it waits for what comes of it.
//   node oauth.mjs <what the test knows>
import { createInterface } from "node:readline";
import { createOAuthAppAuth } from "@octokit/auth-oauth-app";
import { createOAuthDeviceAuth } from "@octokit/auth-oauth-device";
import { createOAuthUserAuth } from "@octokit/auth-oauth-user";
import * as methods from "@octokit/oauth-methods";
import { request as plain } from "@octokit/request";
import { Octokit } from "octokit";

const { url, apps, back } = JSON.parse(process.argv[2]);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const off = { log: quiet, retry: { enabled: false }, throttle: { enabled: false } };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function person(does) {
  console.log(JSON.stringify(does));
  return JSON.parse((await lines.next()).value);
}

const enterCode = ({ user_code }) => person({ enter: user_code });

async function status(promise) {
  try {
    return (await promise).status;
  } catch (error) {
    return error.status;
  }
}

async function named(promise) {
  try {
    return (await promise).data;
  } catch (error) {
    return error.response.data.error;
  }
}

const userOf = (request, token) => status(request("GET /user", { headers: { authorization: `token ${token}` } }));

async function device(baseUrl, clientType) {
  const { clientId } = apps[clientType];
  const auth = { clientType, clientId, scopes: ["repo"], onVerification: enterCode };
  const octokit = new Octokit({ baseUrl, authStrategy: createOAuthDeviceAuth, auth, ...off });
  const { data } = await octokit.rest.users.getAuthenticated();
  const { token, expiresAt, refreshToken } = await octokit.auth({ type: "oauth" });
  return { login: data.login, kind: token.slice(0, 4), expires: expiresAt !== undefined, refreshes: refreshToken !== undefined };
}

async function beforeAnybodyAgrees(request) {
  const app = { clientType: "oauth-app", clientId: apps["oauth-app"].clientId, request };
  const { data } = await methods.createDeviceCode({ ...app, scopes: ["repo", "gist"] });
  const pending = await named(methods.exchangeDeviceCode({ ...app, code: data.device_code }));
  const early = await named(methods.exchangeDeviceCode({ ...app, code: data.device_code }));
  await enterCode(data);
  const { authentication } = await methods.exchangeDeviceCode({ ...app, code: data.device_code });
  const wrong = await named(methods.exchangeDeviceCode({ ...app, code: "0".repeat(40) }));
  return { pending, early, scopes: authentication.scopes, wrong };
}

async function agreed(request, clientType) {
  const { clientId } = apps[clientType];
  const asked = { clientType, clientId, redirectUrl: back, state: "x", scopes: ["repo"], request };
  return person({ agree: methods.getWebFlowAuthorizationUrl(asked).url });
}

async function ofTheUser(request, clientType) {
  const { code, state } = await agreed(request, clientType);
  const auth = createOAuthUserAuth({ clientType, ...apps[clientType], code, state, redirectUrl: back, request });
  const first = (await auth()).token;
  const seen = { state, user: await userOf(request, first) };
  const renewal = clientType === "github-app" ? "refresh" : "reset";
  const second = (await auth({ type: renewal })).token;
  seen.renewed = [await userOf(request, first), await userOf(request, second)];
  seen.scopes = (await auth({ type: "check" })).scopes; // it forgets its refresh token here
  await auth({ type: "delete" });
  return { ...seen, deleted: await userOf(request, second) };
}

async function ofTheApp(request, clientType) {
  const auth = createOAuthAppAuth({ clientType, ...apps[clientType], request });
  const { token } = await auth({ type: "oauth-user", redirectUrl: back, ...(await agreed(request, clientType)) });
  const own = request.defaults({ request: { hook: auth.hook } });
  const ask = (verb, what) => own(`${verb} /applications/{client_id}/${what}`, { client_id: apps[clientType].clientId, access_token: token });
  const checked = (await ask("POST", "token")).data;
  const seen = { login: checked.user.login, app: checked.app.client_id };
  await ask("DELETE", "grant");
  return { ...seen, ended: await userOf(request, token), checkedAgain: await status(ask("POST", "token")) };
}

async function refusals(request) {
  const app = { clientType: "oauth-app", ...apps["oauth-app"], request };
  const { code } = await agreed(request, "oauth-app");
  const exchange = (more) => named(methods.exchangeWebFlowCode({ ...app, code, redirectUrl: back, ...more }));
  return {
    secret: await exchange({ clientSecret: "x" }),
    code: await exchange({ code: "0".repeat(20) }),
    refresh: await named(methods.refreshToken({ ...app, ...apps["github-app"], refreshToken: "ghr_x" })),
    stranger: await status(methods.checkToken({ ...app, clientSecret: "x", token: "gho_x" })),
  };
}

const seen = {};
for (const prefix of ["", "/api/v3"]) {
  const baseUrl = url + prefix;
  const request = plain.defaults({ baseUrl, request: { log: quiet } });
  const part = { pending: await beforeAnybodyAgrees(request), refusals: await refusals(request) };
  for (const clientType of Object.keys(apps)) {
    part[clientType] = {
      device: await device(baseUrl, clientType),
      user: await ofTheUser(request, clientType),
      app: await ofTheApp(request, clientType),
    };
  }
  seen[prefix || "/"] = part;
}
console.log(JSON.stringify({ seen }));
process.exit(0);
