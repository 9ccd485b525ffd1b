/**
 * The service as the Hub meets it, with every answer held against the contract's schema.
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { DisconnectReason } from "@session-manager/contract";
import type { QrView, SessionView } from "@session-manager/contract";
import { QrAnswer, SessionAnswer } from "../../routes/contract/schemas.ts";
import { ErrorAnswer } from "../../routes/document/errors.ts";
import type { Answer, Hub } from "../hub.ts";

/** What an answer was, once it is known to be one that the contract has. */
export interface Heard<T> {
  /** Null when the answer was an error. */
  readonly body: T | null;
  /** The code of an error. */
  readonly code: string | null;
  /** On `performance.now()`. */
  readonly askedAt: number;
}

export interface FrontDoorOptions {
  readonly hub: Hub;
  /** By when `POST /qr` has to have answered, in milliseconds. */
  readonly qrDeadlineMs: () => number;
  /** How much later that may be where the database was out of reach, in milliseconds. */
  readonly storeReturnMs: number;
  /** Whether the database may be out of reach at the moment. */
  readonly mayFail: () => boolean;
  /** Hears of every answer that the contract does not have. */
  readonly onViolation: (what: string) => void;
}

export class FrontDoor {
  readonly #options: FrontDoorOptions;
  #answers = 0;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  /** How many answers have been checked. */
  get answers(): number {
    return this.#answers;
  }

  async read(instanceId: string): Promise<Heard<SessionView>> {
    const heard = await this.#hear<SessionView>(
      `GET ${instanceId}`,
      () => this.#options.hub.get(instanceId),
      SessionAnswer,
      ["404 SESSION_NOT_FOUND"],
      "500 SESSION_MANAGER_ERROR",
    );
    if (heard.body !== null) this.#checkView(instanceId, heard.body);
    return heard;
  }

  async requestQr(instanceId: string): Promise<Heard<QrView>> {
    const { qrDeadlineMs, storeReturnMs, mayFail, onViolation } = this.#options;
    const askedAt = performance.now();
    const mightFail = mayFail();
    const heard = await this.#hear<QrView>(
      `POST ${instanceId}/qr`,
      () => this.#options.hub.requestQr(instanceId),
      QrAnswer,
      ["409 SESSION_ALREADY_CONNECTED", "500 QR_GENERATION_FAILED"],
    );
    const tookMs = performance.now() - askedAt;
    if (tookMs > qrDeadlineMs() + (mightFail || mayFail() ? storeReturnMs : 0)) {
      onViolation(`POST ${instanceId}/qr was answered after ${Math.round(tookMs)} ms`);
    }
    return heard;
  }

  async reportConnected(instanceId: string, phoneNumber: string): Promise<Heard<SessionView>> {
    return await this.#event(instanceId, () => this.#options.hub.connected(instanceId, phoneNumber));
  }

  async reportDisconnected(instanceId: string, reason: DisconnectReason): Promise<Heard<SessionView>> {
    return await this.#event(instanceId, () => this.#options.hub.disconnected(instanceId, reason));
  }

  async #event(instanceId: string, send: () => Promise<Answer>): Promise<Heard<SessionView>> {
    const heard = await this.#hear<SessionView>(
      `event for ${instanceId}`,
      send,
      SessionAnswer,
      ["404 SESSION_NOT_FOUND"],
      "500 SESSION_MANAGER_ERROR",
    );
    if (heard.body !== null) this.#checkView(instanceId, heard.body);
    return heard;
  }

  /** @param unlessStored what may be answered besides while the database is out of reach */
  async #hear<T>(
    call: string,
    send: () => Promise<Answer>,
    schema: z.ZodType,
    errors: readonly string[],
    unlessStored?: string,
  ): Promise<Heard<T>> {
    const askedAt = performance.now();
    const mightFail = this.#options.mayFail();
    const { status, headers, body } = await send();
    this.#answers++;
    const complain = (what: string) => this.#options.onViolation(`${call}: ${what}`);
    if (headers.get("cache-control") !== "no-store") complain("may be cached");
    if (!headers.get("content-type")?.startsWith("application/json")) complain("is no JSON");
    const parsed = (status === 200 ? schema : ErrorAnswer).safeParse(body);
    if (!parsed.success) {
      complain(`${status} ${JSON.stringify(body).slice(0, 300)} does not fit its schema`);
      return { body: null, code: null, askedAt };
    }
    if (status === 200) return { body: body as T, code: null, askedAt };
    const { code } = (body as { error: { code: string } }).error;
    const answer = `${status} ${code}`;
    const isExcused = answer === unlessStored && (mightFail || this.#options.mayFail());
    if (!errors.includes(answer) && !isExcused) complain(`was answered ${answer}`);
    return { body: null, code, askedAt };
  }

  #checkView(instanceId: string, view: SessionView): void {
    const isShown = view.qr_status === "generated";
    const isLegal = view.instance_id === instanceId && (view.qr_string !== null) === isShown &&
      (!isShown || (view.status === "qr_required" && view.qr_expires_at !== null)) &&
      (view.qr_status !== "none" || view.qr_expires_at === null);
    if (!isLegal) {
      this.#options.onViolation(`${instanceId} was told as ${JSON.stringify(view).slice(0, 300)}`);
    }
  }
}
