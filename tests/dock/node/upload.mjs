// Uploads one file with tus-js-client, as somebody else's program would: URL FILE CLOSE_HASH PKI STATE.
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
const require = createRequire(process.env.JUDGES + "/");
const { DefaultHttpStack, FileUrlStorage, Upload } = require("tus-js-client");

const [endpoint, path, closeHash, pki, state] = process.argv.slice(2);
const upload = new Upload(createReadStream(path), {
  endpoint,
  uploadSize: statSync(path).size,
  chunkSize: 131072,
  retryDelays: null,
  overridePatchMethod: process.env.NO_PATCH === "yes",
  metadata: { filename: basename(path), close_hash: closeHash },
  fingerprint: async () => basename(path),
  urlStorage: new FileUrlStorage(state),
  httpStack: new DefaultHttpStack({
    ca: readFileSync(`${pki}/tls-ca.pem`),
    cert: readFileSync(`${pki}/camera-tls.pem`),
    key: readFileSync(`${pki}/camera-tls.key`),
  }),
  onSuccess: () => process.exit(0),
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
});
const previous = await upload.findPreviousUploads();
if (previous.length > 0) {
  upload.resumeFromPreviousUpload(previous[0]);
}
upload.start();
