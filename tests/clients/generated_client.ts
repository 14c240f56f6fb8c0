// Reads a simulated device with the types that openapi-typescript has made; compiled with every check of tsc on.
import createClient from "openapi-fetch";
import type { components, paths } from "./showrunner";

type Line = components["schemas"]["StreamLine"];

const [url, port] = [process.argv[2]!, Number(process.argv[3])];
const client = createClient<paths, "application/json">({ baseUrl: url });
const body: components["schemas"]["ExecuteRequest"] = {
  devices: [{ hostname: "127.0.0.1", port, username: "demo", password: "demo", os: "ios" }],
  commands: [{ command: "show version", pipe_option: "include", pipe_value: "uptime" }, "show nonsense"],
};

const { data } = await client.POST("/api/v1/execute", { body });
if (!data) throw new Error("no answer");
for (const { output, error_code } of data.results.flatMap((device) => device.commands)) {
  console.log(error_code ?? output);
}

const { error } = await client.POST("/api/v1/validate", { body: { ...body, commands: ["reload"] } });
if (!error || typeof error.detail === "string") throw new Error("not refused as a request with faults");
console.log(error.detail.map((fault) => fault.loc.join(".")).join(), error.link);

const known = await client.GET("/api/v1/errors/{code}", { params: { path: { code: error.code } } });
console.log(known.data?.of, known.data?.status);

const streamed = await client.POST("/api/v1/execute", {
  body,
  params: { query: { granularity: "command" } },
  headers: { Accept: "application/x-ndjson" },
  parseAs: "text",
});
for (const text of String(streamed.data).trim().split("\n")) {
  const line: Line = JSON.parse(text);
  console.log(line.type, line.type === "summary" ? line.failed_devices : line.index);
}
