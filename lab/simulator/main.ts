import { parseArgs } from "node:util";
import { startGateway } from "./mod.ts";

const USAGE = "usage: deno run lab/simulator/main.ts [--port 9001] [--control-port 9002]";

const gateway = await startGateway(readOptions());
console.log(`WhatsApp    ${gateway.url}`);
console.log(`control     ${gateway.controlUrl}`);
console.log(`root key    ${gateway.rootKey}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  const onSignal = () => {
    Deno.removeSignalListener(signal, onSignal); // a second one ends the process at once
    void gateway.stop().then(() => Deno.exit(0));
  };
  Deno.addSignalListener(signal, onSignal);
}

function readOptions(): { port: number; controlPort: number } {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: { port: { type: "string", default: "0" }, "control-port": { type: "string", default: "0" } },
    });
    return { port: readPort(values.port), controlPort: readPort(values["control-port"]) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    Deno.exit(2);
  }
}

function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`'${text}' is no port`);
  return port;
}
