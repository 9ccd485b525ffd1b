/**
 * The service as it is, with libraries that print, in the workers too, and code that throws where nobody catches
 * it: the first argument says how.
 * @module
 */
import { main } from "../../../main.ts";

const SECRET = "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMg==";

await main({ workerScript: new URL("../../whatsapp/forger.ts", import.meta.url) });
console.warn("a library prints", new Error(SECRET), { SECRET });
console.table([SECRET]);
switch (Deno.args[0]) {
  case "throw":
    setTimeout(() => {
      throw new TypeError(`nobody catches ${SECRET}`);
    });
    break;
  case "reject":
    void Promise.reject(new TypeError(`nobody catches ${SECRET}`));
    break;
}
