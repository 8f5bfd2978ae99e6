// Drives octokit through everything; prints what it saw as JSON. node drive.mjs <what the test knows>
import { Octokit } from "octokit";

const { url, tokens, owner, repo, finished, archived } = JSON.parse(process.argv[2]);
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const client = (user, prefix = "") =>
  new Octokit({
    auth: tokens[user] ?? `ghp_${"x".repeat(36)}`,
    baseUrl: url + prefix,
    log: quiet,
    retry: { enabled: false },
    throttle: { enabled: false },
  });
const place = { owner, repo };
const TASKS = "/agents/repos/{owner}/{repo}/tasks";

async function operations(octokit) {
  const made = await octokit.request(`POST ${TASKS}`, { ...place, prompt: "From octokit" });
  const one = await octokit.request("GET /agents/tasks/{task_id}", { task_id: made.data.id });
  const again = await octokit.request(`GET ${TASKS}/{task_id}`, { ...place, task_id: made.data.id });
  const newest = { sort: "created_at", per_page: 1 };
  const mine = await octokit.request("GET /agents/tasks", newest);
  const theirs = await octokit.request(`GET ${TASKS}`, { ...place, ...newest });
  return {
    status: made.status,
    prompt: one.data.sessions[0].prompt,
    ids: [made, one, again].map((answer) => answer.data.id).concat(mine.data.tasks[0].id, theirs.data.tasks[0].id),
  };
}

async function pages(octokit) {
  const found = await octokit.paginate(`GET ${TASKS}`, { ...place, per_page: 10 }, (answer) => answer.data.tasks);
  return found.map((task) => task.id);
}

async function filters(octokit) {
  const ids = async (query) => (await octokit.request(`GET ${TASKS}`, { ...place, ...query })).data.tasks.map((task) => task.id);
  return {
    completed: await ids({ state: "completed,failed" }),
    archived: await ids({ is_archived: true }),
    nobodys: await ids({ creator_id: [998, 999] }),
    later: await ids({ since: "2099-01-01T00:00:00Z" }),
  };
}

async function status(promise) {
  try {
    return (await promise).status;
  } catch (error) {
    return error.status;
  }
}

async function errors() {
  const post = (user, body) => status(client(user).request(`POST ${TASKS}`, { ...place, ...body }));
  const octokit = client("alice");
  const known = (await octokit.request("GET /agents/tasks/{task_id}", { task_id: finished })).headers.etag;
  const conditional = { task_id: finished, headers: { "if-none-match": known } };
  const version = { headers: { "x-github-api-version": "2019-01-01" } };
  return {
    unknown: await post("nobody", { prompt: "x" }),
    reader: await post("bob", { prompt: "x" }),
    stranger: await post("mallory", { prompt: "x" }),
    invalid: await post("alice", { prompt: "x", base_ref: "nowhere" }),
    unchanged: await status(octokit.request("GET /agents/tasks/{task_id}", conditional)),
    gone: await status(octokit.request("GET /agents/tasks", version)),
  };
}

async function around(octokit) {
  const user = await octokit.rest.users.getAuthenticated();
  const branches = await octokit.paginate(octokit.rest.repos.listBranches, { ...place, per_page: 1 });
  await octokit.request("POST /repos/{owner}/{repo}/agents/variables", { ...place, name: "OCTO", value: "1" });
  const variables = await octokit.paginate("GET /repos/{owner}/{repo}/agents/variables", place);
  await octokit.request("DELETE /repos/{owner}/{repo}/agents/variables/{name}", { ...place, name: "OCTO" });
  return {
    login: user.data.login,
    branches: branches.map((branch) => branch.name),
    variables: variables.map((variable) => variable.name),
    date: user.headers.date !== undefined,
  };
}

const seen = { errors: await errors() };
for (const prefix of ["", "/api/v3"]) {
  const octokit = client("alice", prefix);
  seen[prefix || "/"] = {
    operations: await operations(octokit),
    pages: await pages(octokit),
    filters: await filters(octokit),
    around: await around(octokit),
  };
}
console.log(JSON.stringify(seen));
