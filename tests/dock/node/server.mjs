// @tus/server with its file store: node server.mjs PORT DIRECTORY, the judges' folder in JUDGES.
import { createRequire } from "node:module";
const require = createRequire(process.env.JUDGES + "/");
const { Server } = require("@tus/server");
const { FileStore } = require("@tus/file-store");

const [port, directory] = process.argv.slice(2);
new Server({ path: "/files", datastore: new FileStore({ directory }) }).listen({ host: "127.0.0.1", port: Number(port) });
